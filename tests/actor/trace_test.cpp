// A trace: what it appends, whom it asks, and which steps it tells.
#include "actors/inspect/trace_actor.hpp"
#include "tests/actor/inspect_world.hpp"

#include <algorithm>
#include <deque>

namespace cairn::testing {
namespace {

constexpr std::uint64_t k_us = 1'000;

/// The way of entry 7: its group has one append; the last peer's word comes late.
entry_timeline way_of_seven(std::uint64_t t0_ns, bool all_acked = true) {
  entry_timeline out;
  out.way.entry = {.index = log_index(7), .appends = 1, .records = 1, .received_ns = t0_ns};
  out.way.term = term_id(3);
  out.way.proposed_ns = t0_ns + 100 * k_us;
  out.way.write = {t0_ns + 120 * k_us, t0_ns + 150 * k_us, t0_ns + 900 * k_us};
  out.way.quorum_ns = t0_ns + 800 * k_us;
  out.way.committed_ns = t0_ns + 810 * k_us;
  out.way.published_ns = t0_ns + 910 * k_us;
  out.way.answered_ns = t0_ns + 920 * k_us;
  out.way.peers = {{raft::node_id(2), t0_ns + 110 * k_us, t0_ns + 800 * k_us},
                   {raft::node_id(3), t0_ns + 110 * k_us, all_acked ? t0_ns + 2'000 * k_us : 0}};
  out.peers = {"n2", "n3"};
  out.voters = 3;
  out.segment = record_offset(40);
  return out;
}

append_outcome stored_as_seven() {
  append_outcome out;
  out.offset = record_offset(42);
  out.count = 1;
  out.term = term_id(3);
  out.index = log_index(7);
  return out;
}

/// A RaftActor that is played: keeps what is appended, answers at once.
struct played_group {
  std::vector<append_item> items;
  append_outcome outcome = stored_as_seven();
  std::optional<entry_timeline> timeline;  // nothing: this node has not proposed it
  std::uint64_t acked_after_looks = 0;
  std::uint64_t looks = 0;
};

class trace_world : public inspect_world {
public:
  struct member {
    std::shared_ptr<played_group> group = std::make_shared<played_group>();
    std::shared_ptr<log_gate> gate = std::make_shared<log_gate>(log_limits{});
    std::shared_ptr<raft_view> view = std::make_shared<raft_view>();
    caf::actor raft;
    caf::actor tracer;
  };

  ~trace_world() {
    for (const auto& [id, one] : members_) {
      caf::anon_send_exit(one.tracer, caf::exit_reason::kill);
      caf::anon_send_exit(one.raft, caf::exit_reason::kill);
    }
    run();
  }

  member& trace_at(const std::string& id, const std::string& leader) {
    member& one = members_[id];
    one.view->set({.lead = {}, .leader = leader});
    one.raft =
        system.spawn([this, group = one.group](caf::event_based_actor* self) -> caf::behavior {
          return {
              [this, self, group](append_batch& batch) {
                for (append_item& item : batch.items) {
                  append_outcome outcome = group->outcome;
                  outcome.id = item.id;
                  group->items.push_back(std::move(item));
                  append_outcomes answer{
                      .items = {outcome}, .durable_on = 2, .replicas = 3, .range = {}};
                  self->send(batch.port, std::move(answer));
                }
              },
              [group](const ask_timeline& question) {
                ++group->looks;
                entry_timeline out;
                if (!group->timeline || question.index != log_index(7)) {
                  out.code = errc::not_found;
                  out.detail = "not of this node";
                  return out;
                }
                out = *group->timeline;
                if (group->looks <= group->acked_after_looks) out.way.peers.back().acked_ns = 0;
                return out;
              },
          };
        });
    one.tracer = system.spawn<trace_actor>(trace_actor_config{.env = &env,
                                                              .parent = 1,
                                                              .node_id = id,
                                                              .log = "default",
                                                              .raft = one.raft,
                                                              .gate = one.gate,
                                                              .view = one.view});
    const auto& started = start(
        id, [&](inspect_actor_config& config) { config.hooks.trace = trace_hook(one.tracer); });
    caf::anon_send(one.tracer, trace_through{started.inspect});
    run();
    return one;
  }

private:
  std::map<std::string, member> members_;
};

v1::InspectRequest trace_question_for(const std::string& node) {
  auto question = question_for(node);
  question.mutable_trace();
  question.set_deadline_ms(3'000);
  return question;
}

const v1::TraceStep* step_of(const v1::Trace& trace, const std::string& what,
                             const std::string& node = {}) {
  const auto found =
      std::find_if(trace.steps().begin(), trace.steps().end(), [&](const v1::TraceStep& step) {
        return step.what().find(what) != std::string::npos && (node.empty() || step.node() == node);
      });
  return found == trace.steps().end() ? nullptr : &*found;
}

void check_ascending(const v1::Trace& trace) {
  for (int i = 1; i < trace.steps_size(); ++i)
    CHECK(trace.steps(i - 1).at_ns() <= trace.steps(i).at_ns());
}

}  // namespace

TEST_CASE("trace: a leader appends a record through the queue and tells its way in order") {
  trace_world world;
  auto& n1 = world.trace_at("n1", "n1");
  n1.group->timeline = way_of_seven(world.env.monotonic_ns());
  const auto answer = world.answer("n1", trace_question_for(""));
  REQUIRE(code_of(answer) == errc::none);
  REQUIRE(n1.group->items.size() == 1);
  CHECK(n1.group->items[0].record_count == 1);
  CHECK(n1.group->items[0].received_ns > 0);
  CHECK(n1.group->items[0].payload.text().find("cairn_trace") != std::string::npos);
  CHECK(n1.gate->queued_appends() == 1);  // it is the RaftActor that lets go of it

  const v1::Trace& trace = answer.trace();
  CHECK(trace.offset() == 42);
  CHECK(trace.index() == 7);
  CHECK(trace.term() == 3);
  CHECK(trace.entry_node() == "n1");
  CHECK(trace.leader() == "n1");
  CHECK(trace.durable_on() == 2);
  CHECK(trace.replicas() == 3);
  check_ascending(trace);
  REQUIRE(trace.steps_size() >= 10);
  CHECK(trace.steps(0).actor() == "gateway");
  const auto* queue = step_of(trace, "waits in the queue");
  REQUIRE(queue != nullptr);
  CHECK(queue->took_ns() == 100 * k_us);
  const auto* sync = step_of(trace, "synced");
  REQUIRE(sync != nullptr);
  CHECK(sync->actor() == "log");
  CHECK(sync->at_ns() == 150 * k_us);
  CHECK(sync->took_ns() == 750 * k_us);
  const auto* there = step_of(trace, "on its disk", "n3");
  REQUIRE(there != nullptr);
  CHECK(there->at_ns() == 110 * k_us);
  CHECK(there->took_ns() == 1'890 * k_us);
  CHECK(step_of(trace, "written to segment 40") != nullptr);
  CHECK(step_of(trace, "committed: on a quorum of 3")->at_ns() == 810 * k_us);
}

TEST_CASE("trace: what its entry did before the append came is not the append's time") {
  trace_world world;
  auto& n1 = world.trace_at("n1", "n1");
  world.env.advance_ms(1);
  n1.group->timeline = way_of_seven(world.env.monotonic_ns() - 80 * k_us);
  const auto answer = world.answer("n1", trace_question_for(""));
  REQUIRE(code_of(answer) == errc::none);
  const v1::Trace& trace = answer.trace();
  check_ascending(trace);
  const auto* queue = step_of(trace, "waits in the queue");
  REQUIRE(queue != nullptr);
  CHECK(queue->at_ns() == 0);
  CHECK(queue->took_ns() == 20 * k_us);
  CHECK(step_of(trace, "takes the append")->at_ns() == 0);
  CHECK(step_of(trace, "synced")->at_ns() == 70 * k_us);
}

TEST_CASE("trace: what comes after the answer is waited for, but not for ever") {
  trace_world world;
  auto& n1 = world.trace_at("n1", "n1");
  n1.group->timeline = way_of_seven(world.env.monotonic_ns());
  n1.group->acked_after_looks = 3;
  const auto slot = world.ask("n1", trace_question_for(""));
  CHECK_FALSE(slot->has_value());
  for (int i = 0; i < 3; ++i)
    world.advance(milliseconds(5));
  REQUIRE(slot->has_value());
  CHECK(step_of((*slot)->what->trace(), "on its disk", "n3") != nullptr);

  n1.group->timeline = way_of_seven(world.env.monotonic_ns(), false);
  const auto late = world.ask("n1", trace_question_for(""));
  for (int i = 0; i < 100 && !late->has_value(); ++i)
    world.advance(milliseconds(5));
  REQUIRE(late->has_value());
  CHECK(step_of((*late)->what->trace(), "has not acknowledged it yet", "n3") != nullptr);
  CHECK(step_of((*late)->what->trace(), "on its disk", "n2") != nullptr);
}

TEST_CASE("trace: a follower tells the leader's steps, and its own part as a duration") {
  trace_world world;
  auto& n1 = world.trace_at("n1", "n1");
  world.trace_at("n2", "n1");
  world.introduce({"n1", "n2"});
  n1.group->timeline = way_of_seven(5'000'000'000'000);  // another clock
  const auto answer = world.answer("n2", trace_question_for(""));
  REQUIRE(code_of(answer) == errc::none);
  const v1::Trace& trace = answer.trace();
  CHECK(n1.group->items.empty());  // n2 has appended it
  CHECK(trace.entry_node() == "n2");
  CHECK(trace.leader() == "n1");
  CHECK(trace.offset() == 42);
  check_ascending(trace);
  CHECK(trace.steps(0).node() == "n2");
  CHECK(step_of(trace, "to n1 and back", "n2") != nullptr);
  CHECK(step_of(trace, "synced", "n1")->took_ns() == 750 * k_us);
  for (const auto& step : trace.steps())
    CHECK(step.at_ns() < 10'000 * k_us);  // no clock is mixed with another
}

TEST_CASE("trace: without the leader's word the record's place is told all the same") {
  trace_world world;
  world.trace_at("n2", "n1");
  world.introduce({"n1", "n2"});
  const auto answer = world.answer("n2", trace_question_for(""));
  REQUIRE(code_of(answer) == errc::none);
  CHECK(answer.trace().offset() == 42);
  CHECK(step_of(answer.trace(), "its steps are not known") != nullptr);
}

TEST_CASE("trace: what is refused is said, and nothing is appended when the log is closed") {
  trace_world world;
  auto& n1 = world.trace_at("n1", "n1");
  n1.group->outcome.code = errc::disk_full;
  n1.group->outcome.detail = "no room";
  auto answer = world.answer("n1", trace_question_for(""));
  CHECK(code_of(answer) == errc::disk_full);
  CHECK(answer.detail() == "no room");
  n1.gate->fence("the disk is broken");
  answer = world.answer("n1", trace_question_for(""));
  CHECK(code_of(answer) == errc::unavailable);
  CHECK(n1.group->items.size() == 1);
}

}  // namespace cairn::testing
