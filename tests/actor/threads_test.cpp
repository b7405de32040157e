// The same parts as a real node runs them: detached actors, ports on threads of their own, files on
// a disk. What a test coordinator cannot show is here: races, and that nothing waits for ever.

#include "apps/actor_backend.hpp"
#include "proto/cairn/v1/inspect.pb.h"
#include "storage/posix_env.hpp"
#include "tests/support/sim_env.hpp"
#include "tests/support/temporary_directory.hpp"

#include <atomic>
#include <caf/all.hpp>
#include <chrono>
#include <condition_variable>
#include <doctest/doctest.h>
#include <mutex>
#include <set>
#include <thread>

namespace cairn::testing {
namespace {

using std::chrono::seconds;

/// A gateway thread's event loop with one source of events: the port.
class port_loop {
public:
  explicit port_loop(net::backend& backend) : port_(backend.open_port([this] { wake(); })) {}

  net::backend_port& port() { return *port_; }

  /// Polls until `done` or ten seconds are over; says which.
  template <class Done>
  bool run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    while (true) {
      port_->poll();
      port_->flush();
      if (done()) return true;
      std::unique_lock lock(mutex_);
      if (!woken_.wait_until(lock, deadline, [&] { return wakes_ > 0; })) return false;
      wakes_ = 0;
    }
  }

private:
  void wake() {
    const std::lock_guard lock(mutex_);
    ++wakes_;
    woken_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable woken_;
  std::size_t wakes_ = 0;
  std::unique_ptr<net::backend_port> port_;
};

/// Calls `then` with the actors of the node, once they have described themselves.
void list_actors(net::backend_port& port,
                 std::function<void(const std::vector<v1::ActorState>&)> then) {
  v1::InspectRequest question;
  question.mutable_actors();
  port.inspect(std::move(question), seconds(5),
               [then = std::move(then)](const net::outcome<net::inspect_answer>& outcome) {
                 const auto* got = std::get_if<net::inspect_answer>(&outcome);
                 if (got == nullptr) return;
                 const auto& all = got->what->actors().actors();
                 then({all.begin(), all.end()});
               });
}

struct real_node {
  real_node() : real_node(*posix_env(), "") {}

  /// In `path` of `env`; without one in a directory of its own.
  real_node(storage::env& env, const std::string& path) : system(settings) {
    apps::node_actors_config config;
    config.log.directory = path.empty() ? directory.file("log") : path;
    config.self = {.number = 1,
                   .node_id = "n1",
                   .data_id = "d1",
                   .peer = "127.0.0.1:1",
                   .http = "127.0.0.1:2",
                   .grpc = {},
                   .zone = {}};
    config.log.log.segment_bytes = 256 * k_kib_bytes;
    config.log.log.prefill_bytes = 256 * k_kib_bytes;
    auto started = apps::node_actors::start(system, env, std::move(config), recovery);
    CAIRN_CHECK(started.ok(), "{}", started.error().detail);
    actors = std::move(*started);
    backend = std::make_unique<apps::actor_backend>(*actors, apps::node_facts{});
  }

  static storage::env* posix_env() {
    static const auto env = storage::make_posix_env();
    return env.get();
  }

  temporary_directory directory;
  storage::recovery_report recovery;
  apps::actor_settings settings;
  caf::actor_system system;
  std::unique_ptr<apps::node_actors> actors;
  std::unique_ptr<apps::actor_backend> backend;
};

net::append_request one_record(std::string_view text) {
  net::append_request request;
  request.log = "default";
  request.batch = {.payload = shared_bytes::copy_of(as_byte_span(text)), .record_count = 1};
  request.deadline = std::chrono::steady_clock::now() + seconds(30);
  return request;
}

/// Keeps `in_flight` appends open until `total` are answered; returns the offsets.
std::set<std::uint64_t> append_many(net::backend& backend, std::size_t total,
                                    std::size_t in_flight) {
  port_loop loop(backend);
  std::set<std::uint64_t> offsets;
  std::size_t asked = 0;
  std::size_t answered = 0;
  std::size_t failures = 0;
  const std::string text(300, 'r');
  const auto ask = [&](const auto& self) -> void {
    if (asked == total) return;
    ++asked;
    loop.port().append(one_record(text), [&, self](net::outcome<net::append_receipt> outcome) {
      ++answered;
      if (auto* receipt = std::get_if<net::append_receipt>(&outcome)) {
        offsets.insert(receipt->offset.value());
      } else {
        ++failures;
      }
      self(self);
    });
  };
  for (std::size_t i = 0; i < in_flight; ++i)
    ask(ask);
  CHECK(loop.run_until([&] { return answered == total; }));
  CHECK(failures == 0);
  return offsets;
}

/// Follows the log from the start with waiting reads until `records` have come; counts gaps.
void follow(net::backend& backend, std::uint64_t records) {
  port_loop loop(backend);
  std::uint64_t next = 0;
  std::size_t failures = 0;
  const auto ask = [&](const auto& self) -> void {
    net::read_request request;
    request.log = "default";
    request.start = net::read_start::at_offset;
    request.offset = record_offset{next};
    request.wait = std::chrono::milliseconds(5'000);
    request.max_records = 1'000;
    loop.port().read(std::move(request), [&, self](net::outcome<net::read_reply> outcome) {
      auto* reply = std::get_if<net::read_reply>(&outcome);
      if (reply == nullptr) {
        ++failures;
        return;
      }
      for (const auto& frame : reply->frames) {
        const auto end = frame.base_offset.value() + frame.record_count;
        if (frame.base_offset.value() > next || end <= next) ++failures;
        next = end;
      }
      if (next < records) self(self);
    });
  };
  ask(ask);
  CHECK(loop.run_until([&] { return next >= records || failures > 0; }));
  CHECK(failures == 0);
}

TEST_CASE("threads: two writers and two followers see every record once, dense and in order") {
  constexpr std::size_t k_each = 2'000;
  real_node node;
  std::set<std::uint64_t> first;
  std::set<std::uint64_t> second;
  {
    std::vector<std::jthread> threads;
    threads.emplace_back([&] { follow(*node.backend, 2 * k_each); });
    threads.emplace_back([&] { follow(*node.backend, 2 * k_each); });
    threads.emplace_back([&] { first = append_many(*node.backend, k_each, 32); });
    threads.emplace_back([&] { second = append_many(*node.backend, k_each, 32); });
  }
  first.merge(second);
  CHECK(second.empty());  // no offset was given twice
  REQUIRE(first.size() == 2 * k_each);
  CHECK(*first.begin() == 0);
  CHECK(*first.rbegin() == 2 * k_each - 1);
  CHECK(node.actors->stop(seconds(5)).ok());
}

TEST_CASE("threads: a node that stops under load answers every append exactly once") {
  real_node node;
  port_loop loop(*node.backend);
  std::vector<int> calls(500, 0);
  std::size_t answered = 0;
  std::size_t stored = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    loop.port().append(one_record("x"), [&, i](net::outcome<net::append_receipt> outcome) {
      ++calls[i];
      ++answered;
      stored += std::holds_alternative<net::append_receipt>(outcome) ? 1 : 0;
    });
    loop.port().flush();
  }
  std::jthread stopper([&] { CHECK(node.actors->stop(seconds(5)).ok()); });
  CHECK(loop.run_until([&] { return answered == calls.size(); }));
  for (const auto count : calls)
    CHECK(count == 1);
  CHECK(stored == node.backend->next_offset("default")->value());
}

TEST_CASE("threads: ports come and go while others work") {
  real_node node;
  std::jthread writer([&] { append_many(*node.backend, 1'000, 8); });
  for (int i = 0; i < 50; ++i) {
    port_loop loop(*node.backend);
    std::size_t listed = 0;
    list_actors(loop.port(), [&](const auto& all) { listed = all.size(); });
    loop.port().append(one_record("and forget"), [](net::outcome<net::append_receipt>) {});
    CHECK(loop.run_until([&] { return listed > 0; }));
  }
}

TEST_CASE("threads: a read from the disk works from the first moment after a start") {
  sim_env env;
  {
    real_node node(env, "/log");
    append_many(*node.backend, 10, 1);
    CHECK(node.actors->stop(seconds(5)).ok());
  }
  env.set_reads_cached(false);
  real_node node(env, "/log");
  port_loop loop(*node.backend);
  net::read_request request;
  request.log = "default";
  std::optional<net::outcome<net::read_reply>> got;
  loop.port().read(request, [&](net::outcome<net::read_reply> outcome) { got = outcome; });
  CHECK(loop.run_until([&] { return got.has_value(); }));
  REQUIRE(std::holds_alternative<net::read_reply>(*got));
  CHECK(std::get<net::read_reply>(*got).bounds.next == record_offset{10});
}

TEST_CASE("threads: while the disk hangs, refusals and descriptions are still answered") {
  sim_env env;
  real_node node(env, "/log");
  append_many(*node.backend, 1, 1);
  std::mutex mutex;
  std::condition_variable changed;
  bool hanging = true;
  bool entered = false;
  env.set_sync_hook([&](const std::string&) {
    std::unique_lock lock(mutex);
    entered = true;
    changed.notify_all();
    changed.wait(lock, [&] { return !hanging; });
  });
  port_loop loop(*node.backend);
  std::size_t stored = 0;
  loop.port().append(one_record("hangs"), [&](net::outcome<net::append_receipt> outcome) {
    stored += std::holds_alternative<net::append_receipt>(outcome) ? 1 : 0;
  });
  loop.port().flush();
  {
    std::unique_lock lock(mutex);
    CHECK(changed.wait_for(lock, std::chrono::seconds(30), [&] { return entered; }));
  }
  std::string log_state;
  list_actors(loop.port(), [&](const auto& all) {
    for (const auto& actor : all)
      if (actor.kind() == "log") log_state = actor.state();
  });
  CHECK(loop.run_until([&] { return !log_state.empty(); }));
  CHECK(log_state.starts_with("busy"));
  CHECK(stored == 0);
  {
    const std::lock_guard lock(mutex);
    hanging = false;
    changed.notify_all();
  }
  CHECK(loop.run_until([&] { return stored == 1; }));
  env.set_sync_hook({});
}

}  // namespace
}  // namespace cairn::testing
