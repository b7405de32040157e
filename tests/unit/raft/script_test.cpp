// Scripts: commands in, expected trace out. What they print is reviewed like code, as a diff.
// CAIRN_REWRITE=1 in the environment writes what they print now into the files.

#include "tests/unit/raft/script_file.hpp"
#include "tests/unit/raft/script_world.hpp"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

namespace cairn::testing {
namespace {

/// Runs the whole script and puts what it printed into `expected`. invalid_argument names file and
/// line of a command that does not work, or after which an invariant is broken.
status run_script(std::string_view name, script_file& file) {
  script_world world;
  for (script_block& block : file.blocks) {
    for (const script_command& command : block.commands) {
      const status done = run_command(world, command.text);
      const std::string problem = done ? world.broken() : done.error().detail;
      if (problem.empty()) continue;
      block.expected = world.take_output();
      return error{errc::invalid_argument, fmt::format("{}:{}: {}", name, command.line, problem)};
    }
    block.expected = world.take_output();
    if (block.expected.empty()) block.expected = "ok\n";
  }
  return {};
}

/// The first block that printed something else than what was expected, as a diff of its lines.
std::string first_difference(std::string_view name, const script_file& expected,
                             const script_file& actual) {
  for (std::size_t i = 0; i < expected.blocks.size(); ++i) {
    const script_block& wanted = expected.blocks[i];
    if (wanted.expected == actual.blocks[i].expected) continue;
    std::istringstream want(wanted.expected);
    std::istringstream got(actual.blocks[i].expected);
    std::size_t line = wanted.expected_line;
    std::string want_line;
    std::string got_line;
    while (std::getline(want, want_line) && std::getline(got, got_line) && want_line == got_line)
      ++line;
    return fmt::format("{}:{}: differs\n--- expected\n{}--- printed\n{}", name, line,
                       wanted.expected, actual.blocks[i].expected);
  }
  return {};
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in.good(), path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::filesystem::path> all_scripts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& item : std::filesystem::directory_iterator(CAIRN_RAFT_SCRIPTS)) {
    if (item.path().extension() == ".txt") paths.push_back(item.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// What parsing and running this text has to say.
std::string problem_of(std::string_view text) {
  auto file = parse_script("s.txt", text);
  if (!file) return file.error().detail;
  const status done = run_script("s.txt", *file);
  return done ? "" : done.error().detail;
}

}  // namespace

TEST_CASE("raft scripts: print what is expected") {
  const char* rewrite = std::getenv("CAIRN_REWRITE");
  const auto paths = all_scripts();
  CHECK(paths.size() >= 15);
  for (const auto& path : paths) {
    const std::string name = path.filename().string();
    const std::string text = text_of(path);
    auto parsed = parse_script(name, text);
    REQUIRE_MESSAGE(parsed.ok(), (parsed ? "" : parsed.error().detail));
    CHECK_MESSAGE(text.starts_with("# "), name, ": says first what it shows, and of which source");
    script_file actual = *parsed;
    const status done = run_script(name, actual);
    CHECK_MESSAGE(done.ok(), (done ? "" : done.error().detail));
    if (rewrite != nullptr && std::string_view(rewrite) == "1") {
      std::ofstream(path, std::ios::binary) << render(actual);
      continue;
    }
    if (!done.ok()) continue;
    const std::string difference = first_difference(name, *parsed, actual);
    CHECK_MESSAGE(difference.empty(), difference);
    CHECK_MESSAGE(render(actual) == text, name, ": blank lines; CAIRN_REWRITE=1 puts them right");
  }
}

TEST_CASE("raft scripts: a malformed file is refused with its line") {
  CHECK(problem_of("# nothing\n") == "s.txt:1: there is no command");
  CHECK(problem_of("\n----\nok\n") == "s.txt:2: \"----\" without a command");
  CHECK(problem_of("status\n\n----\n") == "s.txt:2: commands without \"----\"");
  CHECK(problem_of("# x\nstatus\n") == "s.txt:2: commands without \"----\"");
}

TEST_CASE("raft scripts: a bad command is refused with its line") {
  const auto problem = [](std::string_view command) {
    return problem_of(fmt::format("add-nodes 1-3\n----\nok\n\n# then\n{}\n----\n", command));
  };
  CHECK(problem("status") == "");
  CHECK(problem("dance 1") == "s.txt:6: unknown command \"dance\"");
  CHECK(problem("tick") == "");
  CHECK(problem("tick x") == "s.txt:6: tick: \"x\" is no number");
  CHECK(problem("tick 3-1") == "s.txt:6: tick: \"3-1\" is no range");
  CHECK(problem("tick 4") == "s.txt:6: tick: there is no node 4, or it is down");
  CHECK(problem("tick 1 2 3") == "s.txt:6: tick: \"3\" is too much");
  CHECK(problem("tick 1 speed=2") == "s.txt:6: tick: there is no option \"speed\"");
  CHECK(problem("propose 1") == "s.txt:6: propose: a text is missing");
  CHECK(problem("propose 1 a bytes=1 bytes=2") == "s.txt:6: \"bytes\" is given twice");
  CHECK(problem("persist 1") == "s.txt:6: persist: 1 writes nothing");
  CHECK(problem("deliver 1") == "s.txt:6: deliver: FROM->TO, 1-> or ->2");
  CHECK(problem("deliver 1->x") == "s.txt:6: deliver: ends: \"x\" is no number");
  CHECK(problem("drop 1->2") == "s.txt:6: drop: there is no such message");
  CHECK(problem("restart 1") == "s.txt:6: restart: 1 runs");
  CHECK(problem("compact 1 5") == "s.txt:6: compact: 5 is not visible, or gone");
  CHECK(problem("add-nodes 3") == "s.txt:6: add-nodes: no second 3");
  CHECK(problem("add-nodes 4 log=2,1") == "s.txt:6: add-nodes: terms fall in the log");
}

TEST_CASE("raft scripts: what differs is shown with its line") {
  auto file = parse_script("s.txt", "add-nodes 1\n----\nok\n\nlog\ntick 1\n----\n1 after 0/0\n");
  REQUIRE(file.ok());
  script_file actual = *file;
  REQUIRE(run_script("s.txt", actual).ok());
  CHECK(first_difference("s.txt", *file, actual) ==
        "s.txt:8: differs\n--- expected\n1 after 0/0\n--- printed\n1 after 0/0: | commit 0 durable "
        "0\n");
  CHECK(render(actual) ==
        "add-nodes 1\n----\nok\n\nlog\ntick 1\n----\n1 after 0/0: | commit 0 durable 0\n");
}

TEST_CASE("raft scripts: two leaders in a term do not go by unseen") {
  CHECK(problem_of("add-nodes 1 voters=1\nadd-nodes 2 voters=2\n"
                   "campaign 1,2\npersist 1\npersist 2\n----\n") ==
        "s.txt:5: nodes 1 and 2 lead in term 2\n");
}

}  // namespace cairn::testing
