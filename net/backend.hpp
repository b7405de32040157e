#pragma once
// What the gateway needs from a node, and nothing else. net/ knows neither actors nor storage:
// apps/ binds this interface to them, tests bind it to a fake.
//
// Threads: the gateway has a few threads, each with many connections. Each thread opens one
// `backend_port` and is the only one to call it. Completions run inside `poll()`, hence on that
// same thread: sessions need no lock. The backend calls the port's `wake` function, from any
// thread, when completions have arrived and the port was empty before.

#include "storage/base/bytes.hpp"
#include "storage/base/errc.hpp"
#include "storage/base/ids.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cairn::v1 {
class InspectAnswer;
class InspectRequest;
}  // namespace cairn::v1

namespace cairn::net {

using steady_time = std::chrono::steady_clock::time_point;

/// The committed range of a log, [lowest, next).
struct log_bounds {
  record_offset lowest;
  record_offset next;
};

/// Why a request was not answered as asked: a code to react to, a sentence that names the input,
/// and the facts that a problem document carries. For appends `errc::outcome_unknown` means "may
/// have happened", and sequence_too_old and producer_fenced leave open whether an earlier attempt
/// has been stored; with every other code nothing was stored and nothing will be.
struct failure {
  errc code = errc::internal;
  std::string detail{};
  std::optional<log_bounds> bounds{};
  std::string leader{};                         ///< node id, empty when unknown or of no matter
  std::uint32_t retry_after_ms = 0;             ///< 0: no hint
  std::optional<std::uint64_t> expected_seq{};  ///< of a producer: the number that would be taken
};

/// A value or why there is none.
template <class T>
using outcome = std::variant<T, failure>;

template <class T>
using completion = std::function<void(outcome<T>)>;

/// Records as one serialized cairn.v1.RecordBatch (proto/record_codec.hpp makes and reads it). Two
/// batches written one after the other are again a batch: that is how the node merges appends into
/// one frame without touching them. An append with an identity has a stamp in front of its records
/// (proto/append_stamp.hpp), which tells the node all there is to know about it.
struct encoded_batch {
  shared_bytes payload;
  std::uint32_t record_count = 0;
};

struct append_request {
  std::string log;
  encoded_batch batch;                           ///< at least one record
  std::optional<record_offset> expected_offset;  ///< append only if the next offset is this one
  steady_time deadline;  ///< past it: errc::outcome_unknown, or unavailable if not yet begun
};

struct append_receipt {
  record_offset offset;  ///< of the first record
  std::uint32_t count = 0;
  unix_ms timestamp_ms = 0;
  term_id term;
  log_index index;
  std::uint32_t durable_on = 0;  ///< replicas that are known to have synced it
  std::uint32_t replicas = 0;    ///< voters of the log
  bool replayed = false;         ///< this is what an earlier append of the same identity got
};

/// Where a read starts.
enum class read_start : std::uint8_t {
  at_offset,  ///< `read_request::offset`
  earliest,   ///< the lowest offset kept
  latest,     ///< the end: only what is appended from now on
  at_time,    ///< the first record with a timestamp not older than `read_request::time_ms`
};

struct read_request {
  std::string log{};
  read_start start = read_start::earliest;
  record_offset offset{};
  unix_ms time_ms = 0;
  std::uint32_t max_records = 100;  ///< a hint: whole frames come back, the gateway cuts
  std::uint64_t max_bytes =
      1024 * 1024;  ///< as above; at least one frame comes back if there is any
  std::chrono::milliseconds wait{
      0};                     ///< hold the answer until there is a record, at most this long
  bool linearizable = false;  ///< learn the end from the leader first
};

/// One stored batch. The record at `base_offset + i` is the i-th of the payload.
struct record_frame {
  record_offset base_offset;
  std::uint32_t record_count = 0;
  unix_ms timestamp_ms = 0;  ///< of all of its records
  term_id term;
  log_index index;
  shared_bytes payload;  ///< cairn.v1.RecordBatch, checksum verified
};

/// Frames in offset order without gaps. The first may begin before `start`: skip those records.
/// `frames` is empty when `start == bounds.next` (nothing there yet, also after waiting).
struct read_reply {
  record_offset start;  ///< the offset that the request's start turned out to mean
  std::vector<record_frame> frames;
  log_bounds bounds;  ///< committed range known here when the frames were taken
};

struct segment_info {
  record_offset base_offset;
  record_offset next_offset;
  std::uint64_t size_bytes = 0;
  bool sealed = false;
};

struct replica_info {
  std::string node;
  std::string role;                           ///< voter, learner
  std::string state;                          ///< leader, follower, candidate
  std::optional<record_offset> match_offset;  ///< nothing: not known here, ask the leader
  std::optional<std::uint64_t> lag;           ///< records; likewise
  bool healthy = true;
};

struct log_settings {
  std::uint32_t replication_factor = 1;
  std::uint64_t segment_bytes = 0;
  std::uint64_t segment_ms = 0;
  std::uint64_t retention_bytes = 0;  ///< 0: keep for ever
  std::uint64_t retention_ms = 0;     ///< 0: keep for ever
  std::uint64_t max_record_bytes = 0;
  std::string compression = "none";
};

struct log_description {
  std::string log;
  log_settings settings;
  log_bounds bounds;
  std::uint64_t size_bytes = 0;
  term_id term;
  std::string leader;
  std::vector<segment_info> segments;
  std::vector<replica_info> replicas;
};

struct member_info {
  std::string id;
  std::string state;  ///< alive, suspect, failed, left
  std::string http;
  std::string grpc;
  std::string peer;
  std::string version;
  std::uint64_t incarnation = 0;
  std::string zone;
};

/// A change of who is in the cluster, or of who leads a log.
struct cluster_change {
  enum class action : std::uint8_t {
    add_member,     ///< let in the node that waits at `peer`
    remove_member,  ///< its lead goes to another first
    move_leader,    ///< of `log`, to `node`
  };
  action what = action::add_member;
  std::string node;      ///< id of the member
  std::string peer{};    ///< add_member
  std::string log{};     ///< move_leader
  steady_time deadline;  ///< past it: outcome_unknown, or unavailable if not yet begun
};

/// How the cluster stands after a change.
struct cluster_changed {
  bool changed = true;   ///< false: it stood so before
  std::string leader{};  ///< of the log in question
  term_id term;
};

/// What a node says to an operator (proto/cairn/v1/inspect.proto).
struct inspect_answer {
  std::shared_ptr<const v1::InspectAnswer> what;  ///< never null; its code is none
  shared_bytes body{};                            ///< of a recorder's dump
};

/// Names one read or append of a port while it is unanswered. Never reused.
using request_id = std::uint64_t;

/// A gateway thread's connection to the node. All calls come from that thread. Every accepted
/// request is completed exactly once, inside poll(), unless it was cancelled; none is completed
/// inside the call that makes it.
class backend_port {
public:
  virtual ~backend_port() = default;

  /// Appends a batch atomically. Completes once it is durable on a quorum, or with a failure:
  /// not_found, too_large, expected_offset_missed, overloaded, unavailable, disk_full,
  /// outcome_unknown; a stamped batch also with key_reused, sequence_gap, producer_fenced,
  /// sequence_too_old. One that is stored already completes with its first receipt.
  virtual request_id append(append_request request, completion<append_receipt> done) = 0;

  /// Reads committed records. Fails with not_found (log), offset_not_written (start beyond the end;
  /// a start that equals the end is no failure), offset_trimmed, overloaded (too many waiting),
  /// unavailable, corruption, io_error.
  virtual request_id read(read_request request, completion<read_reply> done) = 0;

  virtual request_id describe_log(std::string log, completion<log_description> done) = 0;
  virtual request_id list_logs(completion<std::vector<log_description>> done) = 0;
  /// Asks this node, or the member that the question names; its `id`, `forwarded` and `deadline_ms`
  /// are filled in. Completes within `deadline`, which is at most two minutes, and a little. Fails
  /// as the answer says: not_found (no such node, actor, log), unavailable (the node that is meant
  /// does not answer, or this one is no member yet), unsupported, overloaded, invalid_argument.
  virtual request_id inspect(v1::InspectRequest question, std::chrono::milliseconds deadline,
                             completion<inspect_answer> done) = 0;

  /// Carries out a change, wherever the leader is, and completes once it is committed. Fails with
  /// not_found (no such node or log), invalid_argument (it makes no sense, `detail` says why),
  /// already_exists (the id belongs to a member with other data), unavailable (no leader, another
  /// change is under way, the node that is to come or to lead does not answer), outcome_unknown.
  virtual request_id change_cluster(cluster_change change, completion<cluster_changed> done) = 0;

  /// Forgets a request, for instance because the client has gone: its completion is not called any
  /// more. An append that has been handed over happens all the same.
  virtual void cancel(request_id id) = 0;

  /// Hands over what has been requested since the last flush. The gateway calls it after each round
  /// of socket events, so that requests which arrived together travel together. Requests may be
  /// handed over earlier.
  virtual void flush() = 0;

  /// Runs the completions that have arrived.
  virtual void poll() = 0;
};

/// The node behind the gateway. Thread-safe. Outlives its ports.
class backend {
public:
  virtual ~backend() = default;

  /// Opens a port. `wake` is called from any thread, must not block and must cause `poll()` to be
  /// called soon.
  [[nodiscard]] virtual std::unique_ptr<backend_port> open_port(std::function<void()> wake) = 0;

  [[nodiscard]] virtual const std::string& node_id() const = 0;

  /// Why this node does not serve, one sentence each; empty when it does.
  [[nodiscard]] virtual std::vector<std::string> unready_reasons() const = 0;

  /// The largest record the log takes, in bytes, or nothing when there is no such log. Cheap: asked
  /// per append, so that a too large record is refused before it has been read whole.
  [[nodiscard]] virtual std::optional<std::uint64_t> max_record_bytes(
      std::string_view log) const = 0;

  /// End of the committed range as last published, for the Cairn-Next-Offset header. Cheap (an
  /// atomic load).
  [[nodiscard]] virtual std::optional<record_offset> next_offset(std::string_view log) const = 0;
};

}  // namespace cairn::net
