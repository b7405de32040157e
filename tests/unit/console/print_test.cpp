// What each command prints, beside files with the expected text: tests/unit/console/expected.
// CAIRN_REWRITE_EXPECTED=1 writes them anew; look at the difference before it is committed.
#include "apps/console/shell.hpp"
#include "tests/unit/console/fake_inspector.hpp"
#include "tests/unit/console/fake_io.hpp"

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

using namespace cairn;
using namespace cairn::console;

namespace {

struct console_world {
  fake_inspector fake;
  fake_io io;
  asker ask{fake, {std::chrono::milliseconds(5'000), [] { return k_now_ms; }, nullptr}};
  shell::options options;

  console_world() {
    fill_with_three_nodes(fake);
    io.look.columns = 80;
    io.look.utf8 = true;
  }
  int run(const std::string& line) { return shell(ask, io, options).run_line(line); }
};

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void check_expected(const std::string& name, const std::string& text) {
  const auto path = fmt::format("{}/{}.txt", CAIRN_EXPECTED_DIR, name);
  if (std::getenv("CAIRN_REWRITE_EXPECTED") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  CHECK_MESSAGE(file_text(path) == text, name, ": printed\n", text);
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    widest = std::max(widest, width_of(line));
  return widest;
}

const std::vector<std::pair<std::string, std::string>> k_printed = {
    {"nodes", "nodes"},
    {"nodes_n2", "nodes n2"},
    {"members", "members"},
    {"tree", "tree n2"},
    {"tree_all", "tree n2 --all"},
    {"actor", "actor 3"},
    {"mailbox", "mailbox --limit 5"},
    {"raft", "raft"},
    {"log", "log"},
    {"segments", "segments"},
    {"holds", "segments --holds 20000"},
    {"where", "where 45677"},
    {"where_none", "where 99999 --node n1"},
    {"events", "events"},
    {"events_kind", "events --kind leader --limit 2"},
    {"events_kinds", "events --kind election,leader"},
    {"metrics", "metrics"},
    {"trace", "trace"},
    {"explain", "explain"},
    {"help", "help"},
    {"help_raft", "help raft"},
    {"top", "top"},
};

}  // namespace

TEST_CASE("console: every command prints what its expected file holds, within 80 columns") {
  for (const auto& [name, line] : k_printed) {
    CAPTURE(name);
    console_world world;
    CHECK(world.run(line) == 0);
    CHECK(world.io.errors == "");
    check_expected(name, world.io.output);
    CHECK(widest_line(world.io.output) <= 80);
  }
}

TEST_CASE("console: without UTF-8 all that is printed is ASCII") {
  for (const auto& [name, line] : k_printed) {
    CAPTURE(name);
    console_world world;
    world.io.look.utf8 = false;
    CHECK(world.run(line) == 0);
    for (const unsigned char c : world.io.output)
      REQUIRE(c < 0x80);
  }
}

TEST_CASE("console: colours stand only where the screen has them, and take no room") {
  for (const auto& [name, line] : k_printed) {
    CAPTURE(name);
    console_world plain;
    console_world coloured;
    coloured.io.look.colour = true;
    CHECK(plain.run(line) == 0);
    CHECK(coloured.run(line) == 0);
    CHECK(plain.io.output.find('\033') == std::string::npos);
    CHECK(coloured.io.output.find('\033') != std::string::npos);
    CHECK(widest_line(coloured.io.output) <= 80);
  }
}

TEST_CASE("console: each command is one JSON document that names the command and who was asked") {
  for (const auto& [name, line] : k_printed) {
    CAPTURE(line);
    console_world world;
    world.options.json = true;
    CHECK(world.run(line) == 0);
    REQUIRE(!world.io.output.empty());
    CHECK(world.io.output.find('\n') == world.io.output.size() - 1);
    boost::json::error_code failure;
    const auto parsed = boost::json::parse(world.io.output, failure);
    REQUIRE(!failure);
    REQUIRE(parsed.is_object());
    CHECK(line.starts_with(std::string(parsed.as_object().at("command").as_string())));
    if (!line.starts_with("help")) CHECK(parsed.as_object().at("via").as_string() == "n1");
  }
}

TEST_CASE("console: a node that does not answer costs its line, not the command") {
  console_world world;
  world.fake.silence("n3", {errc::unavailable, "n3 is not linked to n1"});
  CHECK(world.run("raft") == 0);
  check_expected("raft_n3_silent", world.io.output);
  world.io.output.clear();
  CHECK(world.run("nodes") == 0);
  check_expected("nodes_n3_silent", world.io.output);
  world.options.json = true;
  world.io.output.clear();
  CHECK(world.run("raft") == 0);
  const auto parsed = boost::json::parse(world.io.output);
  const auto& answers = parsed.as_object().at("answers").as_array();
  REQUIRE(answers.size() == 3);
  CHECK(answers[2].at("error").at("code").as_string() == "unavailable");
  CHECK(answers[1].at("raft").at("commit_index").to_number<std::uint64_t>() == 12'345'677);
}

TEST_CASE("console: a stopped leader leaves a raft table that says that nobody leads") {
  console_world world;
  world.fake.silence("n2", {errc::unavailable, "n2 is not linked to n1"});
  CHECK(world.run("raft") == 0);
  CHECK(world.io.output.find("no node that answers leads") != std::string::npos);
}

TEST_CASE("console: what comes from a node cannot steer the terminal") {
  console_world world;
  world.fake.answer(
      "n1", v1::InspectRequest::kActors,
      R"(actors { actors { id: 1 kind: "node\033[2J" name: "a\nb" state: "\007\377\302\233" } })");
  for (const auto* line : {"tree", "actor 1", "mailbox n1"}) {
    world.io.output.clear();
    CHECK(world.run(line) == 0);
    CHECK(world.io.output.find('\033') == std::string::npos);
    CHECK(world.io.output.find('\007') == std::string::npos);
    CHECK(world.io.output.find("\xc2\x9b") == std::string::npos);
    CHECK(world.io.output.find("a\nb") == std::string::npos);
  }
}

TEST_CASE("console: actors that are each other's parents are drawn, once at most") {
  console_world world;
  world.fake.answer(
      "n1", v1::InspectRequest::kActors,
      R"(actors { actors { id: 1 kind: "a" parent: 2 } actors { id: 2 kind: "b" parent: 1 }
                       actors { id: 3 kind: "c" parent: 99 } })");
  CHECK(world.run("tree") == 0);
  CHECK(world.io.output.find("c #3") != std::string::npos);
}
