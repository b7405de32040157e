#pragma once
// The inside of fake_backend: its log, what is held back and what waits. For tests/support alone.

#include "proto/append_stamp.hpp"
#include "tests/support/fake_backend.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

namespace cairn::test {

using net::append_receipt;
using net::append_request;
using net::completion;
using net::failure;
using net::outcome;
using net::read_reply;
using net::read_request;
using net::record_frame;
using net::request_id;

inline constexpr std::string_view k_fake_log = "default";

[[nodiscard]] failure no_such_log(const std::string& log);

/// Completions on their way to one gateway thread.
struct mailbox {
  std::function<void()> wake;
  bool closed = false;
  std::set<request_id> cancelled;
  std::deque<std::pair<request_id, std::function<void()>>> arrived;

  void post(request_id id, std::function<void()> completion) {
    if (closed || cancelled.contains(id)) return;
    arrived.emplace_back(id, std::move(completion));
    if (arrived.size() == 1) wake();
  }
};

/// What an append with an identity got.
struct known_append {
  std::uint64_t body_hash = 0;
  append_receipt receipt;
};

struct known_producer {
  std::uint64_t epoch = 0;
  std::uint64_t next_seq = 0;
  std::map<std::uint64_t, known_append> appends;  // the last k_known_appends_max of them
};

struct held_answer {
  std::shared_ptr<mailbox> to;
  request_id id = 0;
  std::function<void()> answer;  // the mutex is held
};

struct waiting_read {
  std::shared_ptr<mailbox> to;
  request_id id = 0;
  read_request request;
  completion<read_reply> done;
  net::steady_time until;
};

struct fake_backend::state {
  const std::string node_id = "n1";
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<record_frame> frames;
  std::map<hash128, known_append> keys;
  std::map<hash128, known_producer> producers;
  net::log_bounds bounds;
  std::uint64_t max_record_bytes = 1024 * 1024;
  std::vector<std::string> unready;
  std::optional<failure> append_failure;
  std::optional<failure> read_failure;
  std::optional<failure> change_failure;
  fake_inspector inspect;
  std::vector<asked_question> questions;
  net::cluster_change last_change;
  std::size_t changes = 0;
  bool holding = false;
  std::deque<held_answer> held;
  std::deque<waiting_read> waiting;
  std::size_t cancelled = 0;
  std::size_t appends = 0;
  std::size_t reads = 0;
  append_request last_append;
  read_request last_read;
  bool stopping = false;
  std::thread clock;

  // All of these: with the mutex held.
  append_receipt store(net::encoded_batch batch);
  outcome<append_receipt> append(append_request request);
  // What the identity alone decides: an answer, or nothing when it is to be stored.
  std::optional<outcome<append_receipt>> judge(const proto::append_stamp& stamp);
  void remember(const proto::append_stamp& stamp, const append_receipt& receipt);
  outcome<record_offset> start_of(const read_request& request) const;
  outcome<read_reply> read(const read_request& request) const;
  // A cluster of one with one actor, number 7.
  std::optional<outcome<net::inspect_answer>> answer(const v1::InspectRequest& question) const;
  void answer_waiting(net::steady_time now);
  void submit(const std::shared_ptr<mailbox>& to, request_id id, std::function<void()> answer);

  void run_clock();
  bool wait_until(const std::function<bool()>& reached);
};

}  // namespace cairn::test
