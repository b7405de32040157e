#include "apps/node_log.hpp"

#include "actors/actor_journal.hpp"
#include "storage/base/check.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace cairn::apps {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds k_patience{20'000};  // for what must happen

/// A pipe that takes `k_bytes` before it is full. (One of a single page counts as full with the
/// first byte in it.)
class small_pipe {
public:
  static constexpr int k_bytes = 16 * 4'096;

  small_pipe() {
    REQUIRE(pipe2(ends_.data(), O_CLOEXEC) == 0);
    REQUIRE(fcntl(ends_[1], F_SETPIPE_SZ, k_bytes) >= k_bytes);
  }
  ~small_pipe() {
    close_reader();
    close_writer();
  }
  small_pipe(const small_pipe&) = delete;
  small_pipe& operator=(const small_pipe&) = delete;

  [[nodiscard]] int writer() const { return ends_[1]; }
  void close_reader() { shut(ends_[0]); }
  void close_writer() { shut(ends_[1]); }

  /// Everything up to the end of input, or what is there now.
  [[nodiscard]] std::string read_all(bool to_the_end = true) {
    if (!to_the_end) fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    std::string out;
    std::array<char, 4'096> piece{};
    for (;;) {
      const auto count = ::read(ends_[0], piece.data(), piece.size());
      if (count <= 0) break;
      out.append(piece.data(), static_cast<std::size_t>(count));
    }
    return out;
  }

private:
  static void shut(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    REQUIRE(end != std::string::npos);  // each line has its end
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

log_levels all_at(log_level level) {
  log_levels out;
  out.fill(level);
  return out;
}

node_log_settings settings_for(const small_pipe& pipe, log_format format,
                               std::size_t queue_lines = 64) {
  return {.levels = all_at(log_level::info),
          .format = format,
          .node_id = "n1",
          .descriptor = pipe.writer(),
          .queue_lines = queue_lines};
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("node log: text becomes a JSON string whatever is in it") {
  CHECK(json_quoted("plain") == "\"plain\"");
  CHECK(json_quoted("a\"b\\c\n") == "\"a\\\"b\\\\c\\u000a\"");
  CHECK(json_quoted("gr\xc3\xbc\xc3\x9f") == "\"gr\xc3\xbc\xc3\x9f\"");
  CHECK(json_quoted("\xff\xc3") == "\"\\ufffd\\ufffd\"");
}

TEST_CASE("node log: a line as text and as JSON, with fields") {
  log_record line;
  line.component = log_component::raft;
  line.level = log_level::warning;
  line.message = "no \"answer\" of\nn2";
  line.fields = {{"term", "3", true}, {"peer", "n2", false}, {"why", "it is = slow", false}};
  CHECK(text_line(line, "n1", 0) ==
        "1970-01-01T00:00:00.000Z warning n1 raft: no \"answer\" of\\u000an2 term=3 peer=n2 "
        "why=\"it is = slow\"");
  CHECK(json_line(line, "n1", 1'500) ==
        R"({"time":"1970-01-01T00:00:01.500Z","level":"warning","node":"n1","component":"raft",)"
        R"("message":"no \"answer\" of\u000an2","term":3,"peer":"n2","why":"it is = slow"})");
}

TEST_CASE("node log: what goes through the queue comes out as it was, whoever chose the words") {
  log_record line;
  line.message =
      "evil \x1e"
      "bterm\x1f"
      "9 text";
  line.fields = {{"term", "3", true},
                 {"peer",
                  "a\x1f"
                  "b",
                  false},
                 {"flag", "true", true}};
  const auto packed_line = packed(line);
  const auto back = unpacked(packed_line);
  CHECK(back.message == "evil ?bterm?9 text");
  REQUIRE(back.fields.size() == 3);
  CHECK(back.fields[0].key == "term");
  CHECK(back.fields[0].bare);
  CHECK(back.fields[1].value == "a?b");
  CHECK_FALSE(back.fields[1].bare);
}

TEST_CASE("log levels: one for all, others for single components; what is wrong is named") {
  const auto levels = parse_log_levels("warning,raft=debug,peer=off");
  REQUIRE(levels.ok());
  CHECK(levels->at(static_cast<std::size_t>(log_component::raft)) == log_level::debug);
  CHECK(levels->at(static_cast<std::size_t>(log_component::peer)) == log_level::off);
  CHECK(levels->at(static_cast<std::size_t>(log_component::node)) == log_level::warning);
  CHECK(parse_log_levels("raft=trace")->front() == log_level::info);
  CHECK(parse_log_levels("raft=trace,debug")->front() == log_level::debug);  // any order
  const auto said = [](std::string_view text) {
    const auto outcome = parse_log_levels(text);
    REQUIRE_FALSE(outcome.ok());
    CHECK(outcome.code() == errc::invalid_argument);
    return outcome.error().detail;
  };
  CHECK(has(said("loud"), "'loud' is none of trace, debug, info"));
  CHECK(has(said("info,rafts=debug"), "'rafts' is none of node, raft"));
  CHECK(has(said("raft=loud"), "'loud'"));
  CHECK(has(said(""), "''"));
  CHECK(has(said("info,"), "''"));
  CHECK(has(said("info,debug"), "second level"));
}

TEST_CASE("node log: lines come out in order, each as one line of its component") {
  small_pipe pipe;
  {
    node_log log(settings_for(pipe, log_format::text));
    log_info(log_component::node).say("begin");
    log_warning(log_component::raft).field("term", 3).say("lost the lead");
    log_debug(log_component::raft).say("off");
    CHECK(log.flush(k_patience));
    CHECK(log.lines() == 2);
    CHECK(log.lost_lines() == 0);
  }
  log_info(log_component::node).say("nobody takes this");
  pipe.close_writer();
  const auto lines = split(pipe.read_all());
  REQUIRE(lines.size() == 2);
  CHECK(has(lines[0], " info n1 node: begin"));
  CHECK(has(lines[1], " warning n1 raft: lost the lead term=3"));
}

// The pipe is full and nobody reads it: this test would never end if a caller waited.
TEST_CASE("node log: whoever logs never waits, and what was lost is told") {
  small_pipe pipe;
  constexpr int k_lines = 20'000;
  node_log log(settings_for(pipe, log_format::text));
  log_info(log_component::raft).say("the first one");
  REQUIRE(log.flush(k_patience));
  // One at a time, until the pipe takes no more: a crowd of lines would be lost before it is full.
  std::uint64_t first_lines = 1;
  for (; log.flush(milliseconds(500)); ++first_lines)
    log_info(log_component::raft).say("a line of some length, as lines are");
  for (int i = 0; i < k_lines; ++i)
    log_info(log_component::raft).field("number", i).say("a line of some length, as lines are");
  CHECK_FALSE(log.flush(milliseconds(50)));  // nobody reads
  const auto lost = log.lost_lines();
  CHECK(lost > 0);
  CHECK(log.lines() == first_lines + k_lines);
  std::string said;
  while (!log.flush(milliseconds(1)))
    said += pipe.read_all(false);
  said += pipe.read_all(false);
  const auto lines = split(said);
  std::uint64_t told = 0;
  for (const auto& line : lines) {
    const auto at = line.find(" lines were lost");
    if (at == std::string::npos) continue;
    const auto begin = line.rfind(' ', at - 1) + 1;
    told += std::stoull(line.substr(begin, at - begin));
  }
  CHECK(told == log.lost_lines());
  CHECK(has(lines.back(), "number=19999"));  // the newest is there
  CHECK(has(lines.front(), "the first one"));
}

TEST_CASE("node log: the end comes although nobody reads") {
  small_pipe pipe;
  const auto begun = std::chrono::steady_clock::now();
  {
    node_log log(settings_for(pipe, log_format::json));
    for (int i = 0; i < 20'000; ++i)
      log_info(log_component::raft).say("a line of some length, as lines are");
  }
  CHECK(std::chrono::steady_clock::now() - begun < node_log::k_end_patience + milliseconds(2'000));
}

TEST_CASE("node log: a descriptor that is gone costs lines, not the process") {
  signal(SIGPIPE, SIG_IGN);
  small_pipe pipe;
  pipe.close_reader();
  node_log log(settings_for(pipe, log_format::text));
  log_info(log_component::node).say("into the void");
  CHECK(log.flush(k_patience));
  CHECK(log.lost_lines() == 1);
}

/// Runs `act` in a process of its own whose node_log writes into `pipe`; how it ended.
template <class Act>
int in_child(small_pipe& pipe, log_format format, Act act) {
  const auto child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    pipe.close_reader();
    for (const int number : {SIGABRT, SIGSEGV, SIGBUS})
      signal(number, SIG_DFL);  // the test framework's
    node_log log(settings_for(pipe, format));
    log_crashes();
    act();
    _exit(0);
  }
  pipe.close_writer();
  int how = 0;
  REQUIRE(waitpid(child, &how, 0) == child);
  return how;
}

TEST_CASE("node log: a failed check says so, and what was logged before it is there") {
  small_pipe pipe;
  const int how = in_child(pipe, log_format::json, [] {
    log_info(log_component::raft).say("before");
    CAIRN_CHECK(1 + 1 == 3, "arithmetic {}", "broke");
  });
  REQUIRE(WIFSIGNALED(how));
  CHECK(WTERMSIG(how) == SIGABRT);
  const auto lines = split(pipe.read_all());
  REQUIRE(lines.size() == 2);  // in whichever order: they go different ways
  const auto all = lines[0] + lines[1];
  CHECK(has(all, R"("level":"critical","node":"n1","component":"node")"));
  CHECK(has(all, "check failed: 1 + 1 == 3: arithmetic broke"));
  CHECK(has(all, R"("message":"before")"));
}

TEST_CASE("node log: a failed check ends the process although nobody reads") {
  small_pipe pipe;
  const int how = in_child(pipe, log_format::text, [] {
    for (int i = 0; i < 20'000; ++i)
      log_info(log_component::raft).say("a line of some length, as lines are");
    CAIRN_CHECK(1 + 1 == 3, "arithmetic broke");
  });
  REQUIRE(WIFSIGNALED(how));
  CHECK(WTERMSIG(how) == SIGABRT);
}

TEST_CASE("node log: a crash gives the queue a moment, and stays that crash") {
  small_pipe pipe;
  const int how = in_child(pipe, log_format::text, [] {
    log_info(log_component::raft).say("the last words");
    raise(SIGSEGV);
  });
  REQUIRE(WIFSIGNALED(how));
  CHECK(WTERMSIG(how) == SIGSEGV);
  // Nothing more: whoever sent the signal knows.
  const auto lines = split(pipe.read_all());
  REQUIRE(lines.size() == 1);
  CHECK(has(lines[0], "the last words"));
}

TEST_CASE("node log: a mapped file that was cut short is named as what it is, and when") {
  for (const auto format : {log_format::json, log_format::text}) {
    small_pipe pipe;
    const auto before = actors::utc_text(std::chrono::duration_cast<std::chrono::milliseconds>(
                                             std::chrono::system_clock::now().time_since_epoch())
                                             .count());
    const int how = in_child(pipe, format, [] {
      FILE* const file = std::tmpfile();
      void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
      *static_cast<volatile char*>(page) = 1;  // beyond the end of the file
    });
    REQUIRE(WIFSIGNALED(how));
    CHECK(WTERMSIG(how) == SIGBUS);
    const auto lines = split(pipe.read_all());
    REQUIRE(lines.size() == 1);
    CHECK(has(lines[0], "ended by SIGBUS: a file that is mapped into memory was cut short"));
    const auto at = lines[0].find("20");
    REQUIRE(at != std::string::npos);
    const auto time = lines[0].substr(at, before.size());
    CHECK(time.ends_with("Z"));
    CHECK(time >= before);
    CHECK(time.substr(0, 4) == before.substr(0, 4));
  }
}

}  // namespace
}  // namespace cairn::apps
