#include "tests/actor/inspect_world.hpp"

namespace cairn::testing {
namespace {

bool says(const v1::InspectAnswer& answer, std::string_view text) {
  return answer.detail().find(text) != std::string::npos;
}

/// n1, n2 and n3 are members that know each other.
struct three_nodes : inspect_world {
  three_nodes() {
    for (const auto* id : {"n1", "n2", "n3"})
      start(id);
    introduce({"n1", "n2", "n3"});
  }
};

}  // namespace

TEST_CASE("inspect: a node tells its facts, its links and why it does not serve") {
  inspect_world world;
  world.start("n1", [](inspect_actor_config& config) {
    config.hooks.node_facts = [](v1::NodeFacts& facts) { facts.set_pid(42); };
  });
  world.at("n1").cluster->set_unready("it was removed");
  world.start("n2");
  const auto answer = world.answer("n1", ask_facts());
  CHECK(answer.code() == 0);
  CHECK(answer.node() == "n1");
  const auto& facts = answer.node_facts();
  CHECK(facts.node() == "n1");
  CHECK(facts.cluster_id() == "c");
  CHECK(facts.pid() == 42);
  CHECK(facts.now_ms() == world.env.now_ms());
  REQUIRE(facts.links_size() == 1);
  CHECK(facts.links(0).node() == "n2");
  CHECK(facts.links(0).up());
  REQUIRE(facts.unready_size() == 1);
  CHECK(facts.unready(0) == "it was removed");
  world.network.cut("n1", "n2");
  world.run();
  CHECK_FALSE(world.answer("n1", ask_facts()).node_facts().links(0).up());
}

TEST_CASE("inspect: the group is told with the names of its members") {
  three_nodes world;
  auto question = question_for("");
  question.mutable_raft();
  const auto state = world.answer("n1", question).raft();
  CHECK(state.role() == "leader");
  CHECK(state.node() == "n1");
  CHECK(state.leader() == "n1");
  CHECK(state.term() == 3);
  CHECK(state.commit_index() == 10);
  CHECK(state.voter());
  REQUIRE(state.peers_size() == 2);
  CHECK(state.peers(0).node() == "n2");
  CHECK(state.peers(0).match_offset() == 98);
  CHECK(state.peers(0).state() == "replicate");
  CHECK(state.peers(1).node() == "n3");
  CHECK(state.peers(1).state().empty());
}

TEST_CASE("inspect: the log is told with its settings") {
  inspect_world world;
  world.start("n1", [](inspect_actor_config& config) { config.log_limits.set_segment_bytes(777); });
  auto question = question_for("");
  question.set_log("default");
  question.mutable_log_state();
  const auto state = world.answer("n1", question).log_state();
  CHECK(state.segment_bytes() == 777);
  CHECK(state.size_bytes() == 5'000);
  REQUIRE(state.segments_size() == 2);
  CHECK(state.segments(1).base_offset() == 50);
  question.set_log("other");
  const auto unknown = world.answer("n1", question);
  CHECK(code_of(unknown) == errc::not_found);
  CHECK(says(unknown, "'other'"));
}

TEST_CASE("inspect: members come with what gossip says of them, and a new node with itself") {
  inspect_world world;
  world.start("n1");
  auto question = question_for("");
  question.mutable_members();
  const auto alone = world.answer("n1", question).members();
  REQUIRE(alone.members_size() == 1);
  CHECK(alone.members(0).id() == "n1");
  CHECK(alone.members(0).role().empty());
  world.introduce({"n1", "n2"});
  membership_report gossip;
  gossip.members.push_back({.info = {"n2", 2, "n2:1", "n2:80", "", "9.9", "z"},
                            .state = swim::member_state::suspect,
                            .incarnation = 5,
                            .since_ms = 1'234,
                            .by = "n1",
                            .linked = true});
  world.at("n1").membership->set(gossip);
  const auto members = world.answer("n1", question).members();
  REQUIRE(members.members_size() == 2);
  CHECK(members.cluster_id() == "c");
  CHECK(members.leader() == "n1");
  CHECK(members.members(0).version() == "1.2.3");
  CHECK(members.members(0).role() == "voter");
  CHECK(members.members(1).state() == "suspect");
  CHECK(members.members(1).incarnation() == 5);
  CHECK(members.members(1).since_ms() == 1'234);
  CHECK(members.members(1).by() == "n1");
}

TEST_CASE("inspect: what nobody tells is unsupported, and the answer says what it is") {
  inspect_world world;
  world.start("n1");
  auto question = question_for("");
  question.mutable_metrics();
  auto answer = world.answer("n1", question);
  CHECK(code_of(answer) == errc::unsupported);
  CHECK(says(answer, "metrics"));
  question.mutable_recorder();
  CHECK(says(world.answer("n1", question), "recorder"));
}

TEST_CASE("inspect: a hook may answer later, from anywhere, and with bytes") {
  inspect_world world;
  inspect_done_fn later;
  world.start("n1", [&](inspect_actor_config& config) {
    config.hooks.recorder = [&](const v1::InspectRequest&, inspect_done_fn done) {
      later = std::move(done);
    };
  });
  auto question = question_for("");
  question.mutable_recorder();
  const auto slot = world.ask("n1", question);
  CHECK_FALSE(slot->has_value());
  v1::InspectAnswer answer;
  answer.mutable_recorder()->set_inputs(3);
  later(answer, shared_bytes::copy_of(as_byte_span("dump")));
  world.run();
  REQUIRE(slot->has_value());
  CHECK((*slot)->what->recorder().inputs() == 3);
  CHECK((*slot)->body.text() == "dump");
  later(answer, {});  // at most one counts
  world.run();
}

TEST_CASE("inspect: a node that is no member yet says so, and tells what it can") {
  inspect_world world;
  auto& node = world.start("n1", [](inspect_actor_config& config) {
    config.raft = {};
    config.cluster_id.clear();
    config.cluster.reset();
    config.membership.reset();
    config.hooks.log_level = [](const v1::InspectRequest&, const inspect_done_fn& done) {
      v1::InspectAnswer answer;
      answer.mutable_log_levels()->add_levels()->set_component("all");
      done(answer, {});
    };
    config.not_member = [] { return std::string("n1 waits to be let in"); };
  });
  node.reports->push_back(report_of(5, "join", "waiting"));
  const auto facts = world.answer("n1", ask_facts());
  REQUIRE(facts.node_facts().unready_size() == 1);
  CHECK(facts.node_facts().unready(0) == "n1 waits to be let in");
  auto question = question_for("");
  question.mutable_log_level();
  CHECK(world.answer("n1", question).log_levels().levels_size() == 1);
  question.mutable_members();
  CHECK(world.answer("n1", question).members().members_size() == 1);
  question.mutable_actors();
  CHECK(world.answer("n1", question).actors().actors_size() == 1);
  CHECK(world.answer("n1", ask_events(0, 0)).code() == 0);
  question.mutable_raft();
  const auto refused = world.answer("n1", question);
  CHECK(code_of(refused) == errc::unavailable);
  CHECK(refused.detail() == "n1 waits to be let in");
}

// --- other nodes ---------------------------------------------------------------------------------

TEST_CASE("inspect: a question that names another member is passed on, once") {
  three_nodes world;
  const auto answer = world.answer("n1", ask_facts("n2"));
  CHECK(answer.code() == 0);
  CHECK(answer.node() == "n2");
  CHECK(answer.node_facts().node() == "n2");

  // As a console: it asks n1, which asks n2.
  auto console = world.play("n9");
  auto question = ask_facts("n2");
  question.set_id(4'711);
  world.send("n9", "n1", peer_kind::inspect, question.SerializeAsString(), "");
  REQUIRE(console.got->size() == 1);
  v1::InspectAnswer got;
  REQUIRE(got.ParseFromString(std::string(console.got->front().head.text())));
  CHECK(got.id() == 4'711);
  CHECK(got.node() == "n2");

  question.set_forwarded(true);
  world.send("n9", "n1", peer_kind::inspect, question.SerializeAsString(), "");
  REQUIRE(console.got->size() == 2);
  REQUIRE(got.ParseFromString(std::string(console.got->back().head.text())));
  CHECK(code_of(got) == errc::not_found);
  CHECK(says(got, "passed on once already"));
}

TEST_CASE("inspect: what is passed on carries its own id and is marked") {
  inspect_world world;
  world.start("n1");
  world.introduce({"n1", "n2"});
  auto other = world.play("n2");
  auto question = ask_facts("n2");
  question.set_id(4'711);
  question.set_deadline_ms(700);
  const auto slot = world.ask("n1", question);
  REQUIRE(other.got->size() == 1);
  v1::InspectRequest passed;
  REQUIRE(passed.ParseFromString(std::string(other.got->front().head.text())));
  CHECK(passed.forwarded());
  CHECK(passed.id() != 4'711);
  CHECK(passed.deadline_ms() <= 700);
  CHECK(passed.node() == "n2");

  // Somebody else's answer, and one to a question that is not open, change nothing.
  v1::InspectAnswer forged;
  forged.set_id(passed.id());
  forged.mutable_node_facts()->set_node("forged");
  world.play("n3");
  world.send("n3", "n1", peer_kind::inspect_answer, forged.SerializeAsString());
  CHECK_FALSE(slot->has_value());
  forged.set_id(passed.id() + 1);
  world.send("n2", "n1", peer_kind::inspect_answer, forged.SerializeAsString());
  CHECK_FALSE(slot->has_value());
  forged.set_id(passed.id());
  forged.mutable_node_facts()->set_node("n2");
  world.send("n2", "n1", peer_kind::inspect_answer, forged.SerializeAsString());
  REQUIRE(slot->has_value());
  CHECK((*slot)->what->node_facts().node() == "n2");
  world.send("n2", "n1", peer_kind::inspect_answer, forged.SerializeAsString());  // once more
}

TEST_CASE("inspect: a node that nobody knows is not found, one without a link is unavailable") {
  three_nodes world;
  const auto nobody = world.answer("n1", ask_facts("n7"));
  CHECK(code_of(nobody) == errc::not_found);
  CHECK(says(nobody, "n7"));
  CHECK(says(nobody, "n1, n2, n3"));
  world.network.isolate("n3");
  world.run();
  const auto gone = world.answer("n1", ask_facts("n3"));
  CHECK(code_of(gone) == errc::unavailable);
  CHECK(says(gone, "n3"));
}

TEST_CASE("inspect: a member that does not answer in time, or whose link is lost, is unavailable") {
  three_nodes world;
  world.network.one_way("n1", "n2");
  auto question = ask_facts("n2");
  question.set_deadline_ms(500);
  const auto slow = world.ask("n1", question);
  world.advance(milliseconds(499));
  CHECK_FALSE(slow->has_value());
  world.advance(milliseconds(2));
  REQUIRE(slow->has_value());
  CHECK(code_of(*(*slow)->what) == errc::unavailable);
  CHECK(says(*(*slow)->what, "n2 did not answer within 500 ms"));

  const auto cut = world.ask("n1", ask_facts("n2"));
  CHECK_FALSE(cut->has_value());
  world.network.cut("n1", "n2");
  world.run();
  REQUIRE(cut->has_value());
  CHECK(code_of(*(*cut)->what) == errc::unavailable);
  CHECK(says(*(*cut)->what, "link"));
}

TEST_CASE("inspect: an actor that does not answer in time is named") {
  three_nodes world;
  world.at("n1").raft_is_silent = true;
  auto question = question_for("");
  question.mutable_raft();
  question.set_deadline_ms(300);
  const auto slot = world.ask("n1", question);
  world.advance(milliseconds(301));
  REQUIRE(slot->has_value());
  CHECK(code_of(*(*slot)->what) == errc::unavailable);
  CHECK(says(*(*slot)->what, "RaftActor"));
}

TEST_CASE("inspect: only so many questions are open at a time, and room comes back") {
  three_nodes world;
  world.network.one_way("n1", "n2");
  std::vector<inspect_slot> slots;
  for (std::size_t i = 0; i < inspect_state::k_open_max; ++i)
    slots.push_back(world.ask("n1", ask_facts("n2")));
  const auto refused = world.answer("n1", ask_facts("n2"));
  CHECK(code_of(refused) == errc::overloaded);
  world.advance(milliseconds(k_inspect_deadline_ms_default + 1));
  for (const auto& slot : slots)
    CHECK(slot->has_value());
  CHECK(world.answer("n1", ask_facts()).code() == 0);
}

TEST_CASE("inspect: bad input is refused naming the field, or dropped when it is no question") {
  three_nodes world;
  auto console = world.play("n9");
  world.send("n9", "n1", peer_kind::inspect, std::string("\xff\xff\xff"));
  world.send("n9", "n1", peer_kind::inspect, std::string(k_inspect_question_bytes_max + 1, 'x'));
  world.send("n9", "n1", peer_kind::inspect_answer, std::string("\xff"));
  world.send("n9", "n1", peer_kind::inspect, ask_facts().SerializeAsString(), "other-cluster");
  CHECK(console.got->empty());

  const auto refused = [&](const v1::InspectRequest& question, std::string_view field) {
    const auto answer = world.answer("n1", question);
    CHECK(code_of(answer) == errc::invalid_argument);
    CHECK_MESSAGE(says(answer, field), answer.detail());
  };
  refused({}, "asks nothing");
  refused(ask_facts(std::string(129, 'n')), "node");
  auto question = ask_facts();
  question.set_deadline_ms(k_inspect_deadline_ms_max + 1);
  refused(question, "deadline_ms");
  question = ask_facts();
  question.set_log(std::string(129, 'l'));
  refused(question, "log");
  question = ask_events(0, 0);
  question.mutable_events()->set_wait_ms(k_inspect_wait_ms_max + 1);
  refused(question, "events.wait_ms");
  question = ask_events(0, 0);
  question.mutable_events()->set_limit(k_inspect_events_max + 1);
  refused(question, "events.limit");
  question = {};
  question.mutable_metrics()->set_pattern(std::string(257, 'p'));
  refused(question, "metrics.pattern");
  question = {};
  question.mutable_log_level()->set_component(std::string(65, 'c'));
  refused(question, "log_level.component");
  question = {};
  question.mutable_log_level()->set_level(std::string(65, 'l'));
  refused(question, "log_level.level");
}

// --- events --------------------------------------------------------------------------------------

TEST_CASE("inspect: who waits for an event gets it as it comes, or nothing when time is over") {
  three_nodes world;
  auto& events = *world.at("n2").events;
  const auto local = world.ask("n2", ask_events(0, 1'000));
  const auto remote = world.ask("n1", ask_events(0, 1'000, "n2"));
  CHECK_FALSE(local->has_value());
  CHECK_FALSE(remote->has_value());
  events.add(event_kind::leader, event_severity::info, "raft default", "n1 leads",
             {{"leader", "n1"}});
  world.run();
  for (const auto& slot : {local, remote}) {
    REQUIRE(slot->has_value());
    const auto& page = (*slot)->what->events();
    REQUIRE(page.events_size() == 1);
    CHECK(page.events(0).text() == "n1 leads");
    CHECK(page.events(0).fields().at("leader") == "n1");
    CHECK(page.next() == 1);
    CHECK(page.boot() == 7);
  }
  const auto nothing = world.ask("n2", ask_events(1, 1'000));
  world.advance(milliseconds(1'001));
  REQUIRE(nothing->has_value());
  CHECK((*nothing)->what->code() == 0);
  CHECK((*nothing)->what->events().events().empty());
  CHECK((*nothing)->what->events().next() == 1);
}

TEST_CASE("inspect: the id of an earlier run is answered at once") {
  inspect_world world;
  world.start("n1");
  const auto page = world.answer("n1", ask_events(50, 1'000)).events();
  CHECK(page.boot() == 7);
  CHECK(page.events().empty());
}

TEST_CASE("inspect: only so many may wait for events, and others are answered meanwhile") {
  inspect_world world;
  world.start("n1");
  std::vector<inspect_slot> slots;
  for (std::size_t i = 0; i < inspect_state::k_waiting_max; ++i)
    slots.push_back(world.ask("n1", ask_events(0, 1'000)));
  CHECK(code_of(world.answer("n1", ask_events(0, 1'000))) == errc::overloaded);
  CHECK(world.answer("n1", ask_facts()).code() == 0);
  world.at("n1").events->add(event_kind::disk, event_severity::error, "log default", "full");
  world.run();
  for (const auto& slot : slots)
    CHECK(slot->has_value());
  CHECK_FALSE(world.ask("n1", ask_events(1, 1'000))->has_value());
}

// --- sizes ---------------------------------------------------------------------------------------

TEST_CASE("inspect: ten thousand actors are cut to fit a link, honestly, and the rest can be had") {
  three_nodes world;
  constexpr std::uint64_t k_actors = 10'000;
  for (std::uint64_t id = 1; id <= k_actors; ++id)
    world.at("n2").reports->push_back(report_of(id, "segment", std::string(400, 's')));
  auto question = question_for("n2");
  question.mutable_actors();
  std::uint64_t seen = 0;
  std::uint64_t rounds = 0;
  for (std::uint64_t more = 1; more > 0; ++rounds) {
    question.mutable_actors()->set_after(seen);
    const auto answer = world.answer("n1", question);
    REQUIRE(answer.code() == 0);
    REQUIRE(answer.actors().actors_size() > 0);
    CHECK(answer.ByteSizeLong() <= k_inspect_answer_bytes_max);
    CHECK(answer.actors().actors(0).id() == seen + 1);
    seen = answer.actors().actors().rbegin()->id();
    more = answer.actors().more();
    CHECK(seen + more == k_actors);
  }
  CHECK(seen == k_actors);
  CHECK(rounds > 1);
  // On the node itself all of them come at once, and large answers use the bulk lane.
  question.set_node("n2");
  CHECK(world.answer("n2", question).actors().more() == 0);
  bool bulk = false;
  for (const auto& line : world.network.delivered())
    bulk = bulk || line.starts_with("n2>n1 bulk inspect answer");
  CHECK(bulk);
}

TEST_CASE("inspect: an answer for which a link has no room is refused at once") {
  three_nodes world;
  world.start("n4", [](inspect_actor_config& config) {
    config.hooks.recorder = [](const v1::InspectRequest&, const inspect_done_fn& done) {
      v1::InspectAnswer answer;
      answer.mutable_recorder()->set_inputs(3);
      done(answer, shared_bytes::copy_of(as_byte_span(std::string(100'000, 'd'))));
    };
  });
  world.introduce({"n1", "n2", "n3", "n4"});
  auto question = question_for("n4");
  question.mutable_recorder();
  CHECK(world.answer("n1", question).code() == 0);
  world.network.no_room("n4", "n1", true, peer_lane::bulk);
  const auto refused = world.answer("n1", question);
  CHECK(code_of(refused) == errc::overloaded);
  CHECK(refused.node() == "n4");
  CHECK(says(refused, "bytes, and that is more than may wait on the link to n1 now"));
}

TEST_CASE("inspect: events and segments are cut to fit, and what cannot be cut is too large") {
  v1::InspectAnswer answer;
  for (std::uint64_t id = 1; id <= 1'000; ++id) {
    auto& event = *answer.mutable_events()->add_events();
    event.set_id(id);
    event.set_text(std::string(1'000, 't'));
  }
  answer.mutable_events()->set_next(1'000);
  cut_to_fit(answer, 64 * k_kib_bytes);
  CHECK(answer.ByteSizeLong() <= 64 * k_kib_bytes);
  CHECK(answer.events().more());
  CHECK(answer.events().events(0).id() == 1);
  CHECK(answer.events().next() == answer.events().events().rbegin()->id());
  CHECK(answer.events().events_size() > 60);

  answer.Clear();
  for (std::uint64_t base = 0; base < 10'000; ++base)
    answer.mutable_log_state()->add_segments()->set_base_offset(base);
  cut_to_fit(answer, 10'000);
  CHECK(answer.ByteSizeLong() <= 10'000);
  const auto& log = answer.log_state();
  CHECK(log.more_segments() + static_cast<std::uint64_t>(log.segments_size()) == 10'000);
  CHECK(log.segments().rbegin()->base_offset() == 9'999);

  answer.Clear();
  answer.set_id(9);
  answer.mutable_node_facts()->set_data_dir(std::string(20'000, 'd'));
  cut_to_fit(answer, 10'000);
  CHECK(code_of(answer) == errc::too_large);
  CHECK(answer.id() == 9);
}

TEST_CASE("inspect: it describes itself") {
  three_nodes world;
  world.network.one_way("n1", "n2");
  (void)world.ask("n1", ask_facts("n2"));
  std::optional<actor_report> report;
  world.system.spawn([&](caf::event_based_actor* self) {
    self->request(world.at("n1").inspect, caf::infinite, describe{})
        .then([&](const actor_report& got) { report = got; });
  });
  world.run();
  REQUIRE(report);
  CHECK(report->kind == "inspect");
  CHECK(report->state.starts_with("1 questions open"));
}

}  // namespace cairn::testing
