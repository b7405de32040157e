#pragma once
// A node's actors and a gateway port on one thread: CAF's test coordinator runs them when told to,
// time is virtual, the disk is simulated.

#include "actors/type_ids.hpp"
#include "apps/actor_backend.hpp"
#include "proto/cairn/v1/inspect.pb.h"
#include "tests/support/sim_env.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cairn::testing {

/// Counts what the log's actors report.
class counting_observer : public actors::log_observer {
public:
  void committed(const actors::commit_facts& facts) override { commits.push_back(facts); }
  void proposed(std::uint64_t appends) override { groups.push_back(appends); }
  void append_failed(errc code, std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i)
      failures.push_back(code);
  }
  void cold_read(errc code, std::uint64_t) override { cold_reads.push_back(code); }

  std::vector<actors::commit_facts> commits;
  std::vector<std::uint64_t> groups;  // appends that became entries together
  std::vector<errc> failures;
  std::vector<errc> cold_reads;
};

/// What a completion brought, and how often it was called.
template <class T>
struct answer {
  std::size_t calls = 0;
  std::optional<net::outcome<T>> outcome;
  net::request_id id = 0;

  net::completion<T> completion() {
    return [this](net::outcome<T> got) {
      ++calls;
      outcome = std::move(got);
    };
  }
  [[nodiscard]] bool ok() const {
    return outcome.has_value() && std::holds_alternative<T>(*outcome);
  }
  [[nodiscard]] const T& value() const { return std::get<T>(*outcome); }
  [[nodiscard]] errc code() const {
    if (!outcome) return errc::internal;
    return ok() ? errc::none : std::get<net::failure>(*outcome).code;
  }
  [[nodiscard]] const net::failure& failure() const { return std::get<net::failure>(*outcome); }
};

/// The actors of an answer.
inline std::vector<actors::actor_report> reports_of(const net::inspect_answer& from) {
  std::vector<actors::actor_report> out;
  for (const auto& actor : from.what->actors().actors()) {
    out.push_back({.id = actor.id(),
                   .kind = actor.kind(),
                   .name = actor.name(),
                   .parent = actor.parent(),
                   .state = actor.state(),
                   .mailbox = actor.mailbox(),
                   .processed = actor.processed(),
                   .restarts = actor.restarts(),
                   .busy_ns = actor.busy_ns(),
                   .events = {actor.events().begin(), actor.events().end()}});
  }
  return out;
}

using append_answer = answer<net::append_receipt>;
using read_answer = answer<net::read_reply>;

struct testing_settings : apps::actor_settings {
  testing_settings() { set("caf.scheduler.policy", "testing"); }
};

class backend_world {
public:
  explicit backend_world(actors::log_limits limits = {}, storage::log_config log = small_log(),
                         actors::retention_config retention = {})
      : system(settings) {
    apps::node_actors_config config;
    config.log.directory = "/data/logs/default";
    config.self = {.number = 1,
                   .node_id = "n1",
                   .data_id = "d1",
                   .peer = "127.0.0.1:1",
                   .http = "127.0.0.1:2",
                   .grpc = {},
                   .zone = {}};
    config.log.log = log;
    config.log.retention = retention;
    config.limits = limits;
    config.observer = observer;
    config.detached = false;
    config.on_fatal = [this](const std::string& reason) { fatal_reasons.push_back(reason); };
    auto started = apps::node_actors::start(system, env, std::move(config), recovery);
    CAIRN_CHECK(started.ok(), "{}", started.error().detail);
    node = std::move(*started);
    apps::node_facts facts;
    facts.settings.max_record_bytes = k_mib_bytes;
    backend = std::make_unique<apps::actor_backend>(*node, facts);
    port = backend->open_port([this] { ++wakes; });
    run();
  }

  ~backend_world() {
    port.reset();
    (void)stop();
    scheduler().run();
  }

  static storage::log_config small_log() {
    storage::log_config config;
    config.segment_bytes = 64 * k_kib_bytes;
    config.prefill_bytes = 64 * k_kib_bytes;
    return config;
  }

  caf::scheduler::test_coordinator& scheduler() {
    return static_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  /// Runs actors and completions until nothing is left to do now.
  void run() {
    do {
      scheduler().run();
      port->poll();
    } while (scheduler().has_job());
    port->poll();
  }

  /// Closes the log as a node does at its end.
  status stop() {
    // Closing takes several messages, and the caller below waits where nobody runs the actors: so
    // it is done first, and the request below is answered at once.
    system.spawn([writer = node->writer()](caf::event_based_actor* self) {
      self->request(writer, caf::infinite, actors::close_log{})
          .then([](const actors::log_closed&) {}, [](const caf::error&) {});
    });
    scheduler().run();
    scheduler().inline_next_enqueue();
    return node->stop(std::chrono::seconds(1));
  }

  void append(append_answer& to, std::string_view text, std::uint32_t records = 1,
              std::optional<record_offset> expected = {}, net::backend_port* via = nullptr) {
    net::append_request request;
    request.log = "default";
    request.batch.payload = shared_bytes::copy_of(as_byte_span(text));
    request.batch.record_count = records;
    request.expected_offset = expected;
    request.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    to.id = (via == nullptr ? *port : *via).append(std::move(request), to.completion());
  }

  /// Appends one record and waits for its receipt.
  record_offset append_now(std::string_view text) {
    append_answer done;
    append(done, text);
    port->flush();
    run();
    CAIRN_CHECK(done.ok(), "append failed: {}", done.outcome ? done.failure().detail : "no answer");
    return done.value().offset;
  }

  void read(read_answer& to, std::uint64_t from, std::chrono::milliseconds wait = {}) {
    net::read_request request;
    request.log = "default";
    request.start = net::read_start::at_offset;
    request.offset = record_offset{from};
    request.wait = wait;
    to.id = port->read(std::move(request), to.completion());
  }

  /// What the InspectActor says about one actor, or about all of them.
  void ask_actors(answer<net::inspect_answer>& to, std::uint64_t id) {
    v1::InspectRequest question;
    question.mutable_actors()->set_actor(id);
    to.id = port->inspect(std::move(question), std::chrono::seconds(5), to.completion());
  }
  std::vector<actors::actor_report> describe(std::uint64_t id = 0) {
    answer<net::inspect_answer> done;
    ask_actors(done, id);
    run();
    return done.ok() ? reports_of(done.value()) : std::vector<actors::actor_report>{};
  }

  sim_env env{7};
  std::shared_ptr<counting_observer> observer = std::make_shared<counting_observer>();
  storage::recovery_report recovery;
  testing_settings settings;
  caf::actor_system system;
  std::vector<std::string> fatal_reasons;
  std::unique_ptr<apps::node_actors> node;
  std::unique_ptr<apps::actor_backend> backend;
  std::size_t wakes = 0;
  std::unique_ptr<net::backend_port> port;
};

}  // namespace cairn::testing
