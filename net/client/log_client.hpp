#pragma once
// The HTTP API (net/openapi.json) as calls: what the CLI, tests and tools say to a node.

#include "net/client/http_client.hpp"
#include "storage/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::net {

/// A problem document (RFC 9457) as nodes send it.
struct problem {
  unsigned status = 0;
  std::string code;  ///< such as "offset-trimmed"; empty when the answer was no problem document
  std::string title;
  std::string detail;
  bool outcome_unknown = false;  ///< of a write: it may have happened
  std::optional<std::uint64_t> next_offset;
  std::optional<std::uint64_t> lowest_offset;
  std::optional<std::uint64_t> expected_seq;  ///< of a producer: the number that would be taken
  std::uint32_t retry_after_ms = 0;

  /// One sentence for people: what, why, and the facts that help.
  [[nodiscard]] std::string sentence() const;
};

/// Makes a problem of any answer that is not 2xx; one that carries no problem document is described
/// by its status and the beginning of its body.
[[nodiscard]] problem to_problem(const http_answer& answer);

/// The errc whose name `code` is; internal for a name that is none.
[[nodiscard]] errc errc_of(std::string_view code);

/// Why a call of log_client failed, beyond its error.
struct client_failure {
  client_phase phase = client_phase::none;
  std::optional<problem> refused;  ///< the node answered, with this

  /// A write that failed like this may have happened.
  [[nodiscard]] bool outcome_unknown() const {
    return refused ? refused->outcome_unknown
                   : phase != client_phase::none && phase != client_phase::unreachable;
  }
  /// It makes sense to try again: there was no connection, it broke, or the node said "later".
  [[nodiscard]] bool may_pass() const;
};

struct receipt {
  std::uint64_t offset = 0;
  std::uint64_t count = 0;
  bool replayed = false;  ///< of an earlier append with the same identity
  std::string json;       ///< as the node sent it
};

/// Which append of a producer it is. The id has 1 to 255 visible ASCII characters.
struct producer_place {
  std::string_view id;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
};

struct append_call {
  std::string_view log;
  std::string_view content_type;
  std::string_view body;
  std::optional<std::uint64_t> expected_offset;
  std::optional<std::string> key;
  // At most one of these two: then an append whose answer was lost can be sent again as it is.
  std::string_view idempotency_key;  ///< 1 to 255 visible ASCII characters; empty: none
  std::optional<producer_place> producer;
};

/// Where to begin: exactly one of these, else the earliest record.
struct read_from {
  std::optional<std::uint64_t> offset;
  std::optional<std::string> time;  ///< RFC 3339 or epoch milliseconds, passed on as it is
  bool latest = false;
};

struct read_call {
  std::string_view log;
  read_from from;
  std::uint64_t limit = 10'000;  ///< the node takes at most 10,000
  std::uint64_t max_bytes = 4 * k_mib_bytes;
  std::uint64_t wait_ms = 0;
  bool linearizable = false;  ///< sees all that was acknowledged before; else what the node has
};

/// What a description of a log says that programs need.
struct log_summary {
  std::uint64_t lowest_offset = 0;
  std::uint64_t next_offset = 0;
  std::string json;  ///< the whole of it
};

/// Not thread-safe. With several servers, one that answers 503 or 504 is not the one that is asked
/// next. Errors of every call: unavailable when there is no (whole) answer, corruption
/// when the answer makes no sense, else the code of the node's problem document with its sentence.
/// failure() tells more.
class log_client {
public:
  explicit log_client(client_options options) : http_(std::move(options)) {}

  /// Sends an append; receive_append() gets the answer to the oldest one. Both together: append().
  status send_append(const append_call& call);
  result<receipt> receive_append();
  result<receipt> append(const append_call& call);

  /// One page as NDJSON. Returns the number of records handed to `handler`.
  result<std::uint64_t> read(const read_call& call, const line_handler& handler);

  /// One page as application/json, whole.
  result<std::string> read_page_json(const read_call& call);

  /// Follows a log for ever by server-sent events: `handler` gets the record objects. Returns when
  /// it says so, or with an error when the stream ends.
  status follow(std::string_view log, const read_from& from, const line_handler& handler);

  result<log_summary> describe(std::string_view log);

  /// Asks for the cluster's members and tries them, too, from now on. Returns how many nodes are
  /// known then. A node that cannot tell (an older one) is no error.
  result<std::size_t> learn_servers();

  /// The body of a plain GET.
  result<std::string> get(std::string target);

  /// Sends a change (POST, DELETE) with a JSON body, or none. The body of the 200 or 201.
  result<std::string> change(std::string_view method, std::string target, std::string_view body);

  /// The end of the log as the last successful read() told it; nothing if it did not.
  [[nodiscard]] std::optional<std::uint64_t> end_seen() const { return end_seen_; }

  [[nodiscard]] const client_failure& failure() const { return failure_; }
  [[nodiscard]] http_client& http() { return http_; }

private:
  error refused(const http_answer& answer);
  error broken(const error& why);

  http_client http_;
  client_failure failure_;
  std::optional<std::uint64_t> end_seen_;
};

}  // namespace cairn::net
