#include "tests/support/fake_backend.hpp"

#include "proto/record_codec.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <fmt/format.h>
#include <mutex>
#include <set>
#include <thread>

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

namespace {

constexpr std::chrono::seconds k_patience{10};
constexpr std::string_view k_log = "default";

failure no_such_log(const std::string& log) {
  return {.code = errc::not_found, .detail = fmt::format("there is no log '{}'", log)};
}

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

}  // namespace

struct fake_backend::state {
  const std::string node_id = "n1";
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<record_frame> frames;
  net::log_bounds bounds;
  std::uint64_t max_record_bytes = 1024 * 1024;
  std::vector<std::string> unready;
  std::optional<failure> append_failure;
  std::optional<failure> read_failure;
  std::optional<failure> change_failure;
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
  outcome<record_offset> start_of(const read_request& request) const;
  outcome<read_reply> read(const read_request& request) const;
  void answer_waiting(net::steady_time now);
  void submit(const std::shared_ptr<mailbox>& to, request_id id, std::function<void()> answer);

  void run_clock();
  bool wait_until(const std::function<bool()>& reached);
};

append_receipt fake_backend::state::store(net::encoded_batch batch) {
  const record_offset offset = bounds.next;
  frames.push_back({offset, batch.record_count,
                    k_first_timestamp_ms + static_cast<unix_ms>(offset.value()), term_id(3),
                    log_index(frames.size() + 1), batch.payload});
  bounds.next = offset.plus(batch.record_count);
  answer_waiting(std::chrono::steady_clock::now());
  const record_frame& frame = frames.back();
  return {offset, frame.record_count, frame.timestamp_ms, frame.term, frame.index, 1, 1};
}

outcome<append_receipt> fake_backend::state::append(append_request request) {
  if (append_failure) return *append_failure;
  if (request.log != k_log) return no_such_log(request.log);
  if (request.expected_offset && *request.expected_offset != bounds.next) {
    return failure{.code = errc::expected_offset_missed,
                   .detail = "the next offset is another one",
                   .bounds = bounds};
  }
  return store(std::move(request.batch));
}

outcome<record_offset> fake_backend::state::start_of(const read_request& request) const {
  switch (request.start) {
    case net::read_start::earliest:
      return bounds.lowest;
    case net::read_start::latest:
      return bounds.next;
    case net::read_start::at_time:
      for (const record_frame& frame : frames) {
        if (frame.timestamp_ms >= request.time_ms) return frame.base_offset;
      }
      return bounds.next;
    case net::read_start::at_offset:
      break;
  }
  if (request.offset > bounds.next) {
    return failure{.code = errc::offset_not_written,
                   .detail = fmt::format("offset {} is beyond the end", request.offset.value()),
                   .bounds = bounds};
  }
  if (request.offset < bounds.lowest) {
    return failure{.code = errc::offset_trimmed,
                   .detail = fmt::format("offset {} is trimmed", request.offset.value()),
                   .bounds = bounds};
  }
  return request.offset;
}

outcome<read_reply> fake_backend::state::read(const read_request& request) const {
  if (read_failure) return *read_failure;
  if (request.log != k_log) return no_such_log(request.log);
  const auto start = start_of(request);
  if (const auto* failed = std::get_if<failure>(&start)) return *failed;
  read_reply reply{std::get<record_offset>(start), {}, bounds};
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
  for (const record_frame& frame : frames) {
    if (frame.base_offset.plus(frame.record_count) <= reply.start) continue;
    if (!reply.frames.empty() &&
        (bytes + frame.payload.size() > request.max_bytes || records >= request.max_records)) {
      break;
    }
    reply.frames.push_back(frame);
    bytes += frame.payload.size();
    records += frame.record_count;
  }
  return reply;
}

void fake_backend::state::answer_waiting(net::steady_time now) {
  for (auto it = waiting.begin(); it != waiting.end();) {
    auto got = read(it->request);
    const auto* reply = std::get_if<read_reply>(&got);
    if (reply != nullptr && reply->frames.empty() && now < it->until) {
      ++it;
      continue;
    }
    it->to->post(it->id, [done = std::move(it->done), answer = std::move(got)] { done(answer); });
    it = waiting.erase(it);
  }
  changed.notify_all();
}

void fake_backend::state::submit(const std::shared_ptr<mailbox>& to, request_id id,
                                 std::function<void()> answer) {
  if (!holding) return answer();
  held.push_back({to, id, std::move(answer)});
  changed.notify_all();
}

void fake_backend::state::run_clock() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    auto next = net::steady_time::max();
    for (const waiting_read& read : waiting)
      next = std::min(next, read.until);
    if (next == net::steady_time::max()) {
      changed.wait(lock);
    } else {
      changed.wait_until(lock, next);
      const auto now = std::chrono::steady_clock::now();
      if (now >= next) answer_waiting(now);
    }
  }
}

bool fake_backend::state::wait_until(const std::function<bool()>& reached) {
  std::unique_lock lock(mutex);
  return changed.wait_for(lock, k_patience, reached);
}

class fake_backend::port final : public net::backend_port {
public:
  port(std::shared_ptr<state> node, std::function<void()> wake) : node_(std::move(node)) {
    box_->wake = std::move(wake);
  }
  ~port() override {
    const std::lock_guard lock(node_->mutex);
    box_->closed = true;
    box_->arrived.clear();
  }
  port(const port&) = delete;
  port& operator=(const port&) = delete;

  request_id append(append_request request, completion<append_receipt> done) override {
    const std::lock_guard lock(node_->mutex);
    ++node_->appends;
    node_->last_append = request;
    const request_id id = ++last_id_;
    node_->submit(
        box_, id,
        [node = node_.get(), box = box_, id, request = std::move(request), done = std::move(done)] {
          box->post(id, [done, got = node->append(request)] { done(got); });
        });
    return id;
  }

  request_id read(read_request request, completion<read_reply> done) override {
    const std::lock_guard lock(node_->mutex);
    ++node_->reads;
    node_->last_read = request;
    const request_id id = ++last_id_;
    node_->submit(box_, id,
                  [node = node_.get(), box = box_, id, request = std::move(request),
                   done = std::move(done)]() mutable {
                    auto got = node->read(request);
                    const auto* reply = std::get_if<read_reply>(&got);
                    if (reply == nullptr || !reply->frames.empty() || request.wait.count() == 0) {
                      box->post(id, [done, got = std::move(got)] { done(got); });
                      return;
                    }
                    request.start = net::read_start::at_offset;  // "latest" means now
                    request.offset = reply->start;
                    const auto until = std::chrono::steady_clock::now() + request.wait;
                    node->waiting.push_back({box, id, request, done, until});
                    node->changed.notify_all();
                  });
    return id;
  }

  request_id describe_log(std::string log, completion<net::log_description> done) override {
    if (log != k_log) return answer(outcome<net::log_description>(no_such_log(log)), done);
    return answer(outcome<net::log_description>(describe()), done);
  }
  request_id list_logs(completion<std::vector<net::log_description>> done) override {
    return answer(outcome<std::vector<net::log_description>>(std::vector{describe()}), done);
  }
  request_id describe_cluster(completion<net::cluster_description> done) override {
    net::cluster_description cluster{"c1", node_->node_id, {}};
    cluster.members.push_back(
        {node_->node_id, "alive", "127.0.0.1:8080", "", "127.0.0.1:7080", "0.1.0", 1, "z1"});
    return answer(outcome<net::cluster_description>(cluster), done);
  }
  request_id describe_actors(std::uint64_t id,
                             completion<std::vector<net::actor_description>> done) override {
    net::actor_description actor{7, "log", "default", 1, "idle", 0, 12, 0, {}};
    using answer_type = outcome<std::vector<net::actor_description>>;
    if (id == 0) return answer(answer_type(std::vector{actor}), done);
    if (id != actor.id) {
      return answer(answer_type(failure{.code = errc::not_found, .detail = "no such actor"}), done);
    }
    actor.events = {"started", "says \"hello\""};
    return answer(answer_type(std::vector{actor}), done);
  }

  request_id change_cluster(net::cluster_change change,
                            completion<net::cluster_changed> done) override {
    outcome<net::cluster_changed> got = net::cluster_changed{
        .changed = change.node != node_->node_id,
        .leader =
            change.what == net::cluster_change::action::move_leader ? change.node : node_->node_id,
        .term = term_id(4)};
    {
      const std::lock_guard lock(node_->mutex);
      ++node_->changes;
      node_->last_change = std::move(change);
      if (node_->change_failure) got = *node_->change_failure;
    }
    return answer(std::move(got), done);
  }

  void cancel(request_id id) override {
    const std::lock_guard lock(node_->mutex);
    box_->cancelled.insert(id);
    std::erase_if(box_->arrived, [&](const auto& entry) { return entry.first == id; });
    std::erase_if(node_->waiting,
                  [&](const waiting_read& read) { return read.to == box_ && read.id == id; });
    ++node_->cancelled;
    node_->changed.notify_all();
  }

  void flush() override {}

  void poll() override {
    decltype(box_->arrived) now;
    {
      const std::lock_guard lock(node_->mutex);
      now.swap(box_->arrived);
    }
    while (!now.empty()) {
      const auto completion = std::move(now.front());
      now.pop_front();
      bool wanted = false;
      {
        const std::lock_guard lock(node_->mutex);
        wanted = !box_->cancelled.contains(completion.first);
      }
      if (wanted) completion.second();
    }
  }

private:
  template <class T>
  request_id answer(outcome<T> value, const completion<T>& done) {
    const std::lock_guard lock(node_->mutex);
    const request_id id = ++last_id_;
    box_->post(id, [done, value = std::move(value)] { done(value); });
    return id;
  }

  net::log_description describe() const {
    const std::lock_guard lock(node_->mutex);
    net::log_description log;
    log.log = k_log;
    log.settings.max_record_bytes = node_->max_record_bytes;
    log.bounds = node_->bounds;
    log.term = term_id(3);
    log.leader = node_->node_id;
    log.segments.push_back({node_->bounds.lowest, node_->bounds.next, 4096, false});
    log.replicas.push_back({node_->node_id, "voter", "leader", node_->bounds.next, 0, true});
    return log;
  }

  std::shared_ptr<state> node_;
  std::shared_ptr<mailbox> box_ = std::make_shared<mailbox>();
  request_id last_id_ = 0;
};

fake_backend::fake_backend() : state_(std::make_shared<state>()) {
  state_->clock = std::thread([node = state_.get()] { node->run_clock(); });
}

fake_backend::~fake_backend() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  state_->clock.join();
}

std::unique_ptr<net::backend_port> fake_backend::open_port(std::function<void()> wake) {
  return std::make_unique<port>(state_, std::move(wake));
}

const std::string& fake_backend::node_id() const {
  return state_->node_id;
}

std::vector<std::string> fake_backend::unready_reasons() const {
  const std::lock_guard lock(state_->mutex);
  return state_->unready;
}

std::optional<std::uint64_t> fake_backend::max_record_bytes(std::string_view log) const {
  const std::lock_guard lock(state_->mutex);
  return log == k_log ? std::optional(state_->max_record_bytes) : std::nullopt;
}

std::optional<record_offset> fake_backend::next_offset(std::string_view log) const {
  const std::lock_guard lock(state_->mutex);
  return log == k_log ? std::optional(state_->bounds.next) : std::nullopt;
}

void fake_backend::append_json(const std::vector<std::string>& values) {
  proto::batch_encoder encoder;
  for (const std::string& value : values) {
    encoder.append(as_byte_span(value), proto::value_kind::json);
  }
  auto batch = encoder.finish();
  const std::lock_guard lock(state_->mutex);
  state_->store({std::move(batch.payload), batch.record_count});
}

void fake_backend::trim(record_offset lowest) {
  const std::lock_guard lock(state_->mutex);
  std::erase_if(state_->frames, [&](const record_frame& f) { return f.base_offset < lowest; });
  state_->bounds.lowest = lowest;
}

void fake_backend::set_max_record_bytes(std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->max_record_bytes = bytes;
}

void fake_backend::set_unready(std::vector<std::string> reasons) {
  const std::lock_guard lock(state_->mutex);
  state_->unready = std::move(reasons);
}

void fake_backend::fail_appends(std::optional<failure> what) {
  const std::lock_guard lock(state_->mutex);
  state_->append_failure = std::move(what);
}

void fake_backend::fail_changes(std::optional<failure> what) {
  const std::lock_guard lock(state_->mutex);
  state_->change_failure = std::move(what);
}

net::cluster_change fake_backend::last_change() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_change;
}

std::size_t fake_backend::change_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->changes;
}

void fake_backend::fail_reads(std::optional<failure> what) {
  const std::lock_guard lock(state_->mutex);
  state_->read_failure = std::move(what);
}

void fake_backend::hold() {
  const std::lock_guard lock(state_->mutex);
  state_->holding = true;
}

void fake_backend::release_all(bool reversed) {
  const std::lock_guard lock(state_->mutex);
  state_->holding = false;
  auto held = std::move(state_->held);
  state_->held.clear();
  if (reversed) std::reverse(held.begin(), held.end());
  for (const held_answer& one : held)
    one.answer();
}

bool fake_backend::wait_for_held(std::size_t count) {
  return state_->wait_until([&] { return state_->held.size() >= count; });
}

bool fake_backend::wait_for_cancelled(std::size_t count) {
  return state_->wait_until([&] { return state_->cancelled >= count; });
}

bool fake_backend::wait_for_waiting_reads(std::size_t count) {
  return state_->wait_until([&] { return state_->waiting.size() >= count; });
}

std::vector<std::string> fake_backend::values() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> out;
  for (const record_frame& frame : state_->frames) {
    proto::batch_reader reader(frame.payload.span());
    proto::record_view record;
    while (reader.next(record))
      out.emplace_back(as_text(record.value));
  }
  return out;
}

std::size_t fake_backend::append_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->appends;
}

std::size_t fake_backend::read_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->reads;
}

append_request fake_backend::last_append() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_append;
}

read_request fake_backend::last_read() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_read;
}

}  // namespace cairn::test
