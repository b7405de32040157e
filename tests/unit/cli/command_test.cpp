// The program itself: what it prints and how it exits.
#include "apps/cairn/context.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/unit/cli/fake_node.hpp"
#include "tests/unit/recorder/recorded_trio.hpp"

#include <array>
#include <cstdio>
#include <doctest/doctest.h>
#include <fstream>
#include <future>
#include <string>
#include <sys/wait.h>
#include <thread>

using namespace cairn;
using namespace cairn::cli;
using cairn::testing::append_fault;
using cairn::testing::fake_node;

namespace {

struct finished {
  int code = -1;
  std::string text;  // stdout and stderr
};

// Runs a shell command in which `cairn` is the program under test.
finished run(const std::string& command) {
  const auto line = "cairn() { '" CAIRN_BIN_DIR "/cairn' \"$@\"; }; { " + command + " ; } 2>&1";
  FILE* pipe = ::popen(line.c_str(), "r");
  REQUIRE(pipe != nullptr);
  finished done;
  std::array<char, 4096> chunk{};
  while (const auto got = std::fread(chunk.data(), 1, chunk.size(), pipe)) {
    done.text.append(chunk.data(), got);
  }
  const int status = ::pclose(pipe);
  done.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return done;
}

bool says(const finished& done, std::string_view text) {
  return done.text.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("cairn: every command has help with an example and exits with 0") {
  CHECK(says(run("cairn --help"), "Exit codes: 0 done; 1 failed"));
  for (const std::string command : {"append", "read", "tail", "logs describe", "verify", "bench",
                                    "cluster members", "cluster add", "cluster remove",
                                    "cluster leave", "cluster transfer-leader", "ready", "sim"}) {
    const auto help = run("cairn " + command + " --help");
    CHECK(help.code == exit_ok);
    CHECK_MESSAGE(says(help, "Example"), command);
  }
}

TEST_CASE("cairn: groups of commands show examples of their own") {
  for (const std::string group : {"cluster", "logs", "logs list", "recorder"}) {
    const auto help = run("cairn " + group + " --help");
    CHECK(help.code == exit_ok);
    CHECK_MESSAGE(says(help, "\n  cairn " + group), help.text);
    CHECK_FALSE_MESSAGE(says(help, "cairn append events.ndjson"), help.text);
  }
}

TEST_CASE("cairn help: is the same as --help") {
  for (const std::string command : {"", " cluster", " cluster add", " replay"}) {
    const auto help = run("cairn help" + command);
    CHECK_MESSAGE(help.code == exit_ok, help.text);
    CHECK(help.text == run("cairn" + command + " --help").text);
  }
  const auto unknown = run("cairn help cluster frobnicate");
  CHECK(unknown.code == exit_usage);
  CHECK(unknown.text ==
        "cairn: there is no command \"cluster frobnicate\"; see cairn cluster --help\n");
}

TEST_CASE("cairn: bash completes commands, options and values, and leaves files to itself") {
  const auto complete = [](const std::string& line) {
    // `line` is split as bash does; its last word is the one at the cursor.
    const auto done =
        run("bash -c 'source <(\"$0\" completion bash); COMP_WORDS=(\"$@\"); COMP_WORDS[0]=$0; "
            "COMP_CWORD=$(($# - 1)); _cairn; echo \"${COMPREPLY[*]}\"' '" CAIRN_BIN_DIR "/cairn' " +
            line);
    CHECK(done.code == 0);
    return done.text;
  };
  CHECK(complete("cairn he") == "help\n");
  CHECK(complete("cairn help rea") == "read ready\n");
  CHECK(complete("cairn re") == "read ready recorder replay\n");
  CHECK(complete("cairn cluster tr") == "transfer-leader\n");
  CHECK(complete("cairn -s http://a recorder ''") == "save\n");
  CHECK(complete("cairn replay --show ''") == "all changes elections\n");
  CHECK(complete("cairn replay --show changes --st") == "--step\n");
  CHECK(complete("cairn append --qui") == "--quiet\n");
  CHECK(complete("cairn completion z") == "zsh\n");
  CHECK(complete("cairn verify ''") == "\n");
  CHECK(complete("cairn nonsense ''").find("append bench") != std::string::npos);
}

TEST_CASE("cairn: wrong usage exits with 2 and names what is wrong") {
  struct row {
    std::string command;
    std::string_view reason;
  };
  for (const auto& [command, reason] : {
           row{"cairn", "subcommand"},
           row{"cairn frobnicate", "there is no command \"frobnicate\""},
           row{"cairn read --frobnicate", "--frobnicate"},
           row{"cairn read --limit x", "--limit"},
           row{"cairn read --from x", "--from x: expected an offset, earliest or latest"},
           row{"cairn read --from 1 --from-time 2", "--from"},
           row{"cairn read --format xml", "'xml' is not one of json, ndjson, raw, text"},
           row{"cairn -s https://x read", "server \"https://x\": https is not supported yet"},
           row{"CAIRN_SERVER=a:b cairn read", "\"b\" is no port"},
           row{"cairn append --at 1 --unconditional", "--unconditional"},
           row{"cairn append --producer a --idempotency-key b", "--idempotency-key"},
           row{"cairn append --producer a --at 1", "--at"},
           row{"cairn append --producer 'a b'", "'a b' is not 1 to 255 visible ASCII characters"},
           row{"cairn append --epoch 1", "--producer"},
           row{"cairn append --idempotency-key k --batch-records 5", "--batch-records"},
           row{"cairn tail -f --format json", "--format json needs an end"},
           row{"cairn cluster", "subcommand"},
           row{"cairn cluster remove", "NODE"},
           row{"cairn cluster remove a/b", "'a/b' is no node id"},
           row{"cairn cluster add n4", "PEER"},
           row{"CAIRN_SERVER=n1:1,n2:1 cairn cluster leave", "--server names 2 nodes"},
           row{"cairn append --batch-records 0", "'0' is no whole number from 1 to 100,000"},
           row{"cairn append --at 1,5", "--at: '1,5' is no whole number from 0 on"},
           row{"cairn tail -n ,500", "',500' is no whole number from 0 on"},
           row{"cairn bench -c 4,0960", "'4,0960' is no whole number from 1 to 4,096"},
           row{"cairn bench -d soon", "'soon' is no number from 0.1 to 86400"},
           row{"cairn replay x --from 0", "--from: '0' is no whole number from 1 on"},
           row{"cairn replay x --until 99999999999999999999", "is no whole number from 1 on"},
           row{"cairn replay x --from 1,020 --until 10", "--from 1,020 is behind --until 10"},
           row{"cairn console explain", "stands behind -c: cairn console -c explain\n"},
           row{"cairn console where 4711", "cairn console -c 'where 4711'\n"},
           row{"cairn console --frobnicate", "--frobnicate"},
           row{"cairn verify", "DIR"},
           row{"cairn verify /nonexistent-directory", "/nonexistent-directory"},
       }) {
    const auto done = run(command);
    CHECK_MESSAGE(done.code == exit_usage, command, ": ", done.text);
    CHECK_MESSAGE(says(done, reason), command, ": ", done.text);
  }
}

TEST_CASE("cairn: without a node it exits with 3 and says what to do") {
  std::string url;
  {
    const fake_node gone;
    url = gone.url();
  }
  for (const std::string command :
       {"append /dev/null", "read", "tail", "tail -f", "logs list", "logs describe", "bench"}) {
    const auto done = run("cairn -s " + url + " " + command);
    CHECK_MESSAGE(done.code == exit_unreachable, command);
    CHECK(says(done, "Is a node running there?"));
  }
}

TEST_CASE("cairn append and read: what goes in comes out") {
  fake_node node;
  const auto server = "cairn -s " + node.url() + " ";
  const auto stored = run("printf '{\"a\":1}\\n[2]\\n' | " + server + "append --json -q");
  CHECK(stored.code == exit_ok);
  CHECK(says(stored,
             "{\"log\":\"default\",\"stored\":2,\"already_there\":0,\"unknown\":0,"
             "\"first_offset\":0,\"next_offset\":2,\"next_line\":3,"));
  CHECK(run("printf 'plain \"text\"' | " + server + "append --format text -q").code == exit_ok);
  const auto raw = run(server + "read --format raw");
  CHECK(raw.code == exit_ok);
  CHECK(raw.text == "{\"a\":1}\n[2]\n\"plain \\\"text\\\"\"\n");
  CHECK(run(server + "read --from 2 --format text").text == "plain \"text\"\n");
  CHECK(run(server + "read --from 1 --limit 1 --format raw").text == "[2]\n");
  CHECK(run(server + "tail -n 2 --format raw").text == "[2]\n\"plain \\\"text\\\"\"\n");
  CHECK(says(run(server + "logs describe"), "next offset     3"));
  const auto beyond = run(server + "read --from 9");
  CHECK(beyond.code == exit_failed);
  CHECK(says(beyond, "offset-not-written, the log holds 0 to 3"));
}

TEST_CASE("cairn cluster: members are a table, or what the node says") {
  fake_node node;
  const std::string document =
      R"({"cluster_id":"c","node":"n1","members":[)"
      R"({"id":"n1","state":"alive","http":"127.0.0.1:8081","grpc":"","peer":"127.0.0.1:7081","zone":""},)"
      R"({"id":"n2","state":"failed","http":"127.0.0.1:8082","grpc":"","peer":"127.0.0.1:7082","zone":"b"}]})";
  node.set_cluster(document);
  const auto server = "cairn -s " + node.url() + " cluster ";
  const auto table = run(server + "members");
  CHECK(table.code == exit_ok);
  CHECK(says(table, "NODE  STATE   ROLE  LAG  HTTP            PEER            ZONE\n"));
  CHECK(says(table, "n2    failed  -       -  127.0.0.1:8082  127.0.0.1:7082  b\n"));
  CHECK(run(server + "members -o json").text == document);
}

TEST_CASE("cairn cluster: changes go to the node and say what has become of them") {
  fake_node node;
  node.set_cluster(R"({"cluster_id":"c","node":"n7","members":[]})");
  const auto server = "cairn -s " + node.url() + " cluster ";
  CHECK(says(run(server + "remove n2"), "n2 is no member any more"));
  CHECK(says(run(server + "add n4 10.0.0.4:7080 --wait 3"), "n4 is a member"));
  CHECK(says(run(server + "transfer-leader n3 --log default"), "n3 leads default."));
  CHECK(run(server + "leave -o json").text == "{}");
  CHECK(node.changes() ==
        std::vector<std::string>{
            "DELETE /v1/cluster/members/n2?timeout_ms=10000 ",
            R"(POST /v1/cluster/members?timeout_ms=3000 {"id":"n4","peer":"10.0.0.4:7080"})",
            R"(POST /v1/logs/default/leader?timeout_ms=10000 {"node":"n3"})",
            "DELETE /v1/cluster/members/n7?timeout_ms=10000 "});

  node.set_change_answer(404, R"({"status":404,"code":"not-found","title":"t",)"
                              R"("detail":"there is no member 'n9'","outcome":"rejected"})");
  const auto unknown_node = run(server + "remove n9");
  CHECK(unknown_node.code == exit_failed);
  CHECK(says(unknown_node, "there is no member 'n9'"));
  node.set_change_answer(504, R"({"status":504,"code":"outcome-unknown","title":"t",)"
                              R"("detail":"the lead was lost","outcome":"unknown"})");
  const auto unknown = run(server + "remove n2");
  CHECK(unknown.code == exit_unknown);
  CHECK(says(unknown, "the command can be given again"));
}

TEST_CASE("cairn read: a reader that goes away ends it quietly") {
  fake_node node;
  for (int i = 0; i < 5000; ++i)
    node.add_value("\"" + std::string(200, 'x') + "\"");
  CHECK(run("cairn -q -s " + node.url() + " read --format raw | head -n 1").text ==
        "\"" + std::string(200, 'x') + "\"\n");
}

TEST_CASE("cairn read: without a leader it prints what the node has, and says so") {
  fake_node node;
  for (const auto* value : {"1", "2", "3"})
    node.add_value(value);
  node.lose_leader();
  const auto done = run("cairn -s " + node.url() + " read --format raw");
  CHECK(done.code == exit_ok);
  CHECK(says(done, "1\n2\n3\n"));
  CHECK(says(done, "these are the records that one node has"));
}

TEST_CASE("cairn tail -f: goes on with what comes, over a stream that ended") {
  fake_node node;
  for (int i = 0; i < 9; ++i)
    node.add_value(std::to_string(i));
  node.end_streams_after(2);
  const auto tail =
      run("cairn -s " + node.url() + " tail -f --retry 30 --from 0 --format raw | head -n 5");
  CHECK(tail.text == "0\n1\n2\n3\n4\n");
}

TEST_CASE("cairn append: a bad line is named, what is before it is stored") {
  fake_node node;
  const auto done = run("printf '1\\n2\\n{bad}\\n4\\n' | cairn -s " + node.url() + " append");
  CHECK(done.code == exit_failed);
  CHECK(says(done, "standard input, line 3: is not JSON"));
  CHECK(says(done, "Every line before line 3 is stored."));
  CHECK(node.values() == std::vector<std::string>{"1", "2"});
}

TEST_CASE("cairn append: an outcome that stays unknown exits with 4 and tells how to go on") {
  fake_node node;
  node.add_fault(append_fault::unknown_stored);
  node.add_fault(append_fault::unknown_not_stored);
  const auto done = run("printf '1\\n2\\n' | cairn -s " + node.url() + " append");
  CHECK(done.code == exit_unknown);
  CHECK(says(done, "Lines 1 to 2 may or may not be stored."));
  CHECK(says(done, "cairn append --log default --at 0 --from-line 1 -"));
}

TEST_CASE("cairn append: a file that cannot be read is named") {
  const auto missing = run("cairn append /nonexistent/file");
  CHECK(missing.code == exit_failed);
  CHECK(says(missing, "/nonexistent/file: No such file or directory"));
  CHECK(says(run("cairn append /"), "/: is a directory"));
}

TEST_CASE("cairn bench: measures, and fails when requests do") {
  fake_node node;
  const auto bench = "cairn -s " + node.url() + " bench append -c 1 -d 0.1 --warm-up 0 ";
  const auto good = run(bench + "--batch 3 -o json");
  CHECK(good.code == exit_ok);
  CHECK(says(good, "\"failed\":{},\"broken_connections\":0"));
  CHECK(node.values().size() % 3 == 0);
  CHECK(node.values().size() > 3);
  node.add_fault(append_fault::busy);
  node.add_fault(append_fault::drop_after);
  const auto bad = run(bench);
  CHECK(bad.code == exit_failed);
  CHECK(says(bad, "FAILED with 503: 1 requests"));
  CHECK(says(bad, "FAILED requests: 2; longest time without a good answer: "));
  CHECK(says(bad, "BROKEN connections: 1 (their appends may or may not be stored)"));
}

TEST_CASE("cairn bench: goes on at the next server when one breaks off, is away or says nothing") {
  fake_node node;
  fake_node other(node);
  std::string gone;
  {
    const fake_node away;
    gone = away.url();
  }
  const auto bench = [](const std::string& servers) {
    return run("cairn --timeout 0.2 -s " + servers +
               " bench append -c 1 -d 0.7 --warm-up 0 -o json");
  };
  node.add_fault(append_fault::drop_before);
  const auto next = bench(node.url() + "," + other.url());
  CHECK_MESSAGE(next.code == exit_failed, next.text);
  CHECK(says(next, "\"failed\":{},\"broken_connections\":1,\"failed_requests\":1,"));
  CHECK(node.append_count() == 1);
  CHECK(other.append_count() > 1);

  node.add_fault(append_fault::drop_before);
  const auto round = bench(node.url() + "," + gone);
  CHECK_MESSAGE(round.code == exit_failed, round.text);
  CHECK(says(round, "\"broken_connections\":1,"));
  CHECK(node.append_count() > 2);

  // Its connections stand, for the kernel accepts them, but nobody reads there.
  boost::asio::io_context io;
  const boost::asio::ip::tcp::acceptor silent(io, {boost::asio::ip::address_v4::loopback(), 0});
  const auto silent_url = "127.0.0.1:" + std::to_string(silent.local_endpoint().port());
  node.add_fault(append_fault::drop_before);
  const auto appends = node.append_count();
  const auto waited = bench(node.url() + "," + silent_url);
  CHECK_MESSAGE(waited.code == exit_failed, waited.text);
  CHECK(says(waited, "\"broken_connections\":2,"));
  CHECK(node.append_count() > appends + 1);
}

TEST_CASE("cairn bench: when no server is left it shows what it measured and exits with 3") {
  auto node = std::make_unique<fake_node>();
  const auto command = "cairn -s " + node->url() + " bench append -c 1 -d 60 --warm-up 0";
  auto running = std::async(std::launch::async, [&] { return run(command); });
  while (node->append_count() < 3)
    std::this_thread::yield();
  node.reset();
  const auto done = running.get();
  CHECK_MESSAGE(done.code == exit_unreachable, done.text);
  CHECK(says(done, "requests/s"));
  CHECK(says(done, "FAILED requests: "));
  CHECK(says(done, "no node could be connected to any more; the last try: 127.0.0.1:"));
}

TEST_CASE("cairn replay: says that no step was shown, and what there is") {
  testing::recorded_trio trio;
  const auto leader = trio.elect();
  trio.tick_all(1000);
  const testing::temporary_directory directory;
  const auto dump = trio.recorder(leader).dump("a test", 1'700'000'000'000);
  const auto file = directory.path() + "/n.dump";
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(dump.data()), static_cast<std::streamsize>(dump.size()));
  const auto replay = "cairn replay " + file + " ";
  std::uint64_t steps = 0;
  const auto decoded = testing::dump_of(trio.recorder(leader));
  for (const auto& chunk : decoded.chunks)
    steps += chunk.steps.size();
  const auto count = with_commas(steps);
  REQUIRE(count.find(',') != std::string::npos);

  const auto last = run(replay + "--from " + count);
  CHECK(last.code == exit_ok);
  CHECK_FALSE(says(last, "no step is shown"));
  const auto beyond = run(replay + "--from 200,000");
  CHECK(beyond.code == exit_ok);
  CHECK(says(beyond, "no step is shown: --from is behind the last one; the dump holds steps 1 to " +
                         count + "\n"));
  const auto quiet = run(replay + "--show elections --from 1000 --until 1,001");
  CHECK(quiet.code == exit_ok);
  CHECK(says(quiet, "no step is shown: none from 1970-01-01 00:00:"));
  CHECK(says(quiet, " UTC was about who leads; the dump holds steps 1 to " + count + "\n"));
  CHECK(run(replay + "--from 200000 -o json 2>/dev/null").text.empty());
  CHECK(says(run(replay + "--from 200000 -o json"), "no step is shown"));
}

TEST_CASE("cairn verify: garbage where a segment should be is damage") {
  const testing::temporary_directory directory;
  CHECK(run("cairn verify " + directory.path()).code == exit_usage);
  std::ofstream(directory.path() + "/00000000000000000000.store") << std::string(10'000, 'x');
  const auto damaged = run("cairn verify " + directory.path());
  CHECK(damaged.code == exit_failed);
  CHECK(says(damaged, "00000000000000000000.store"));
}
