// Command lines: how they are parted, understood and refused; what goes on until it is ended.
#include "apps/console/shell.hpp"

#include "apps/console/completion.hpp"
#include "tests/unit/console/fake_inspector.hpp"
#include "tests/unit/console/fake_io.hpp"

#include <atomic>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;
using namespace cairn::console;

namespace {

struct console_world {
  fake_inspector fake;
  fake_io io;
  std::atomic<bool> interrupted{false};
  asker ask{fake, {std::chrono::milliseconds(5'000), [] { return k_now_ms; }, &interrupted}};
  shell::options options;

  console_world() { fill_with_three_nodes(fake); }
  int run(const std::string& line) { return shell(ask, io, options).run_line(line); }
  bool said(const std::string& text) const { return io.output.find(text) != std::string::npos; }
  bool complained(const std::string& text) const {
    return io.errors.find(text) != std::string::npos;
  }
};

std::vector<std::string> words_known(word_kind kind) {
  switch (kind) {
    case word_kind::node:
      return {"n1", "n2", "n3"};
    case word_kind::actor:
      return {"1", "2", "20", "21"};
    case word_kind::log:
      return {"default"};
    case word_kind::metric:
      return {"cairn_append_total", "cairn_append_seconds"};
    default:
      return {};
  }
}

std::vector<std::string> offered(std::string_view before) {
  return complete(before, words_known).candidates;
}

}  // namespace

TEST_CASE(
    "console: a document names the node that it came through, not the one that has just died") {
  console_world world;
  world.options.json = true;
  world.fake.before_question = [](fake_inspector& fake, std::uint64_t) { fake.linked = "n2"; };
  CHECK(world.run("nodes") == 0);
  CHECK(world.said("\"via\":\"n2\""));
}

TEST_CASE("console: a line is parted at blanks, quotes and backslashes keep them") {
  CHECK(*split_words("  raft   default ") == std::vector<std::string>{"raft", "default"});
  CHECK(*split_words("metrics 'a b' \"c d\" e\\ f ''") ==
        std::vector<std::string>{"metrics", "a b", "c d", "e f", ""});
  CHECK(split_words("")->empty());
  CHECK(split_words("metrics 'a").code() == errc::invalid_argument);
}

TEST_CASE("console: an unknown command is wrong usage and the nearest one is named") {
  console_world world;
  CHECK(world.run("rafft") == 2);
  CHECK(world.complained("there is no command \"rafft\"; did you mean \"raft\"?"));
  CHECK(world.run("expl") == 2);
  CHECK(world.complained("did you mean \"explain\"?"));
  CHECK(world.run("xyzzyx") == 2);
  CHECK(world.complained("see help"));
  CHECK(world.fake.questions == 0);
}

TEST_CASE("console: exit and q end it as quit does, and numbers may be written as they are shown") {
  for (const auto* word : {"quit", "exit", "q"}) {
    console_world world;
    shell one(world.ask, world.io, world.options);
    CHECK(one.run_line(word) == 0);
    CHECK(one.done());
  }
  console_world plain;
  console_world grouped;
  CHECK(plain.run("where 45677") == 0);
  CHECK(grouped.run("where 45,677") == 0);
  CHECK(plain.io.output == grouped.io.output);
  CHECK(grouped.run("where ,1") == 2);
}

TEST_CASE("console: words that make no sense are wrong usage and are named") {
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"actor", "actor needs ID"},
      {"actor soon", "ID is a number, not \"soon\""},
      {"where 1 default more", "\"more\" is one word too many"},
      {"raft --noode n1", "raft takes no option --noode"},
      {"mailbox --limit", "--limit needs N"},
      {"mailbox --limit few", "--limit is a number, not \"few\""},
      {"mailbox --limit=-3", "--limit is a number"},
      {"events --follow=yes", "--follow takes no value"},
      {"events --kind weather", "there is no kind of event \"weather\"; kinds: node, election"},
      {"events --follow --kind link,rain", "there is no kind of event \"rain\""},
      {"explain weather", "there is nothing to explain about \"weather\""},
      {"watch 2", "watch needs COMMAND"},
      {"watch 0 raft", "1 to 3600"},
      {"watch 2 fly", "there is no command \"fly\""},
      {"watch 2 top", "watch cannot repeat top"},
      {"watch 2 watch 2 raft", "watch cannot repeat watch"},
      {"watch 2 raft --nope", "raft takes no option --nope"},
      {"top 0", "1 to 3600"},
      {"help fly", "there is no command \"fly\""},
      {"metrics 'a", "a quote (') does not end"},
  };
  for (const auto& [line, words] : lines) {
    CAPTURE(line);
    console_world world;
    CHECK(world.run(line) == 2);
    CHECK_MESSAGE(world.complained(words), world.io.errors);
    CHECK(world.io.output == "");
  }
}

TEST_CASE("console: nothing is asked for a blank line or a comment") {
  console_world world;
  CHECK(world.run("") == 0);
  CHECK(world.run("   ") == 0);
  CHECK(world.run("# who leads") == 0);
  CHECK(world.fake.questions == 0);
}

TEST_CASE("console: when nobody answers the code is 3 and the reason is told") {
  console_world world;
  world.fake.linked.clear();
  for (const auto* line :
       {"nodes", "members", "tree", "actor 1", "mailbox", "raft", "log", "segments", "where 1",
        "events", "events --follow", "metrics", "trace", "explain", "top"}) {
    CAPTURE(line);
    world.io.errors.clear();
    CHECK(world.run(line) == 3);
    CHECK(world.complained("cairn: no node answers; tried 127.0.0.1:7080"));
  }
}

TEST_CASE("console: with -o json a failure is a document, too") {
  console_world world;
  world.options.json = true;
  CHECK(world.run("actor 4711 n9") == 1);
  const auto parsed = boost::json::parse(world.io.output);
  CHECK(parsed.at("command").as_string() == "actor");
  CHECK(parsed.at("error").at("code").as_string() == "not-found");
}

TEST_CASE("console: an append whose outcome is unknown exits with 4") {
  console_world world;
  world.fake.fail("n1", v1::InspectRequest::kTrace, {errc::outcome_unknown, "n1 went away"});
  CHECK(world.run("trace") == 4);
  CHECK(world.complained("n1 went away"));
}

TEST_CASE("console: the questions name the log and the node that were given") {
  console_world world;
  CHECK(world.run("raft orders --node n3") == 0);
  REQUIRE(world.fake.heard.size() == 1);
  CHECK(world.fake.heard[0].first == "n3");
  CHECK(world.fake.heard[0].second.log() == "orders");
}

TEST_CASE("console: all nodes are asked at once") {
  for (const auto& [line, together] :
       {std::pair{"raft", 3U}, {"explain", 9U}, {"top", 9U}, {"events", 3U}}) {
    console_world world;
    world.io.keys_there = true;
    world.io.keys = {'q'};
    CHECK(world.run(line) == 0);
    CHECK_MESSAGE(world.fake.together == together, line);
  }
}

TEST_CASE("console: a node that has failed is given less time than one that lives") {
  console_world world;
  world.fake.answer(
      "n1", v1::InspectRequest::kMembers,
      R"(members { members { id: "n1" state: "alive" } members { id: "n2" state: "failed" } })");
  CHECK(world.run("raft") == 0);
  CHECK(world.fake.last_deadline == asker::k_failed_one_max);
}

TEST_CASE("console: top draws anew until q, on a screen of its own") {
  console_world world;
  world.io.keys_there = true;
  world.io.keys = {'\0', 'x', 'q'};
  CHECK(world.run("top") == 0);
  CHECK(world.io.waits == 3);
  CHECK(world.io.full_screens == 0);
  CHECK(world.said("RECORDS/s"));
}

TEST_CASE("console: top without a terminal looks twice and prints once") {
  console_world world;
  bool later = false;
  world.io.on_wait = [&] {
    later = true;
    world.fake.answer("n2", v1::InspectRequest::kNodeFacts,
                      fmt::format("node_facts {{ node: \"n2\" cluster_id: \"c-1\" started_ms: {} "
                                  "now_ms: {} cpu_ns: 73500000000 }}",
                                  k_now_ms - 600'000, k_now_ms + 2'000));
    world.fake.answer("n2", v1::InspectRequest::kRaft,
                      "raft { role: \"leader\" term: 3 applied_offset: 65670 }");
  };
  CHECK(world.run("top") == 0);
  CHECK(later);
  CHECK(world.io.waits == 1);
  CHECK_MESSAGE(world.said("10,000"), world.io.output);
  CHECK(world.said("75.0 %"));
}

TEST_CASE("console: top goes on when nobody answers for a while") {
  console_world world;
  world.io.keys_there = true;
  world.io.keys = {'\0', '\0', 'q'};
  world.io.on_wait = [&] { world.fake.linked = world.io.waits == 1 ? "" : "n2"; };
  CHECK(world.run("top") == 0);
  CHECK(world.said("no node answers"));
  CHECK(world.said("through n2"));
}

TEST_CASE("console: watch repeats the command until q, with its own options") {
  console_world world;
  world.io.keys_there = true;
  world.io.keys = {'\0', 'q'};
  CHECK(world.run("watch 2 raft --node n3") == 0);
  CHECK(world.fake.heard.size() == 2);
  CHECK(world.said("every 2 s: raft --node n3"));
}

TEST_CASE("console: events leaves out what is usual of segments, and says that it does") {
  console_world world;
  world.fake.answer("n1", v1::InspectRequest::kEvents,
                    fmt::format(R"(events {{ boot: 77 next: 3
                      events {{ id: 1 time_ms: {0} kind: "segment" severity: "info" text: "usual" }}
                      events {{ id: 2 time_ms: {0} kind: "segment" severity: "error" text: "bad" }}
                      events {{ id: 3 time_ms: {0} kind: "link" severity: "info" text: "up" }} }})",
                                k_now_ms - 1'000));
  CHECK(world.run("events --node n1") == 0);
  CHECK_FALSE(world.said("usual"));
  CHECK(world.said("bad"));
  CHECK(world.said("up"));
  CHECK(world.said("1 event of segments left out; --all shows them"));
  for (const auto* line : {"events --node n1 --all", "events --node n1 --kind segment"}) {
    console_world all;
    all.fake = world.fake;
    CHECK(all.run(line) == 0);
    CHECK(all.said("usual"));
    CHECK_FALSE(all.said("left out"));
  }
}

TEST_CASE("console: Ctrl-C ends watch and events --follow") {
  for (const auto* line : {"watch 2 raft", "events --follow"}) {
    CAPTURE(line);
    console_world world;
    world.io.on_wait = [&] { world.interrupted = world.io.waits == 2; };
    CHECK(world.run(line) == 130);
    CHECK(world.io.waits == 2);
  }
}

TEST_CASE(
    "console: events --follow shows each event once, of a restarted node from its beginning") {
  console_world world;
  world.io.on_wait = [&] {
    const auto at = k_now_ms + world.io.waits;
    if (world.io.waits == 1) {
      world.fake.answer("n3", v1::InspectRequest::kEvents,
                        fmt::format("events {{ boot: 77 events {{ id: 3 time_ms: {} kind: \"link\" "
                                    "text: \"lost n1\" }} }}",
                                    at));
    } else if (world.io.waits == 2) {
      world.fake.answer("n3", v1::InspectRequest::kEvents,
                        fmt::format("events {{ boot: 78 events {{ id: 1 time_ms: {} kind: \"node\" "
                                    "text: \"started anew\" }} }}",
                                    at));
    }
    world.interrupted = world.io.waits == 4;
  };
  CHECK(world.run("events --follow") == 130);
  const auto count = [&](const std::string& text) {
    std::size_t found = 0;
    for (auto at = world.io.output.find(text); at != std::string::npos;
         at = world.io.output.find(text, at + 1)) {
      ++found;
    }
    return found;
  };
  CHECK(count("n3 has started") == 1);
  CHECK(count("lost n1") == 1);
  CHECK(count("started anew") == 1);
}

TEST_CASE("console: notices are told, and the prompt names whom we look through") {
  console_world world;
  shell run(world.ask, world.io, {});
  CHECK(run.prompt() == "n1> ");
  world.fake.notices = {"n1 (127.0.0.1:7081) is gone; now through n2 (127.0.0.1:7082)"};
  world.fake.linked = "n2";
  CHECK(run.run_line("raft") == 0);
  CHECK(world.complained("n1 (127.0.0.1:7081) is gone; now through n2"));
  CHECK(run.prompt() == "n2> ");
  world.fake.linked.clear();
  CHECK(run.prompt() == "(nobody)> ");
  CHECK(!run.done());
  CHECK(run.run_line("quit") == 0);
  CHECK(run.done());
}

TEST_CASE("console: TAB completes commands, and adds a blank behind the only one") {
  CHECK(offered("me") == std::vector<std::string>{"members", "metrics"});
  CHECK(complete("mem", words_known).insert == "bers ");
  CHECK(complete("m", words_known).insert.empty());
  CHECK(offered("zz").empty());
  CHECK(offered("").size() == commands().size());
}

TEST_CASE("console: TAB completes nodes, actors, logs, metrics, topics, options and their values") {
  CHECK(offered("tree ") == std::vector<std::string>{"n1", "n2", "n3"});
  CHECK(offered("actor 2") == std::vector<std::string>{"2", "20", "21"});
  CHECK(offered("actor 2 ") == std::vector<std::string>{"n1", "n2", "n3"});
  CHECK(complete("raft de", words_known).insert == "fault ");
  CHECK(complete("metrics cairn_a", words_known).insert == "ppend_");
  CHECK(complete("explain el", words_known).insert == "ection ");
  CHECK(offered("raft --") == std::vector<std::string>{"--node"});
  CHECK(complete("raft --node n", words_known).candidates.size() == 3);
  CHECK(complete("events --kind el", words_known).insert == "ection ");
  CHECK(offered("where 1").empty());
  CHECK(complete("help tr", words_known).insert.empty());
  CHECK(offered("help tr") == std::vector<std::string>{"trace", "tree"});
  CHECK(complete("watch 2 raf", words_known).insert == "t ");
  CHECK(offered("watch 2 tree ") == std::vector<std::string>{"n1", "n2", "n3"});
  CHECK(offered("watch 2 raft --") == std::vector<std::string>{"--node"});
  CHECK(offered("nonsense ").empty());
}

TEST_CASE("console: every command can be found, is explained, and is complete") {
  for (const auto& one : commands()) {
    CAPTURE(one.name);
    CHECK(find_command(one.name) == &one);
    CHECK(!one.summary.empty());
    CHECK(!one.help.empty());
    CHECK((one.ask == nullptr) == (one.print == nullptr));
    console_world world;
    world.io.look.columns = 80;
    CHECK(world.run(fmt::format("help {}", one.name)) == 0);
    CHECK(world.said(std::string(one.name)));
  }
}
