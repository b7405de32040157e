#include "apps/recorder_dumps.hpp"

#include "tests/support/temporary_directory.hpp"
#include "tests/unit/recorder/recorded_trio.hpp"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace cairn::testing {
namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> dumps_in(const std::string& directory) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".dump") found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// What the process does whose check fails; never returns.
[[noreturn]] void fail_a_check(const std::string& directory) {
  const int said = ::open((directory + "/stderr").c_str(), O_WRONLY | O_CREAT, 0600);
  ::dup2(said, STDERR_FILENO);
  std::signal(SIGABRT, SIG_DFL);
  recorded_trio trio;
  const std::uint64_t leader = trio.elect();
  const apps::dump_on_failed_check dumps(directory, trio.shared_recorder(leader));
  // No driver does this: so much is not there.
  trio.core(leader).step(raft::log_trimmed{log_index(1'000'000), record_offset(5)});
  ::_exit(0);
}

}  // namespace

TEST_CASE("recorder dumps: a check that fails leaves a dump that shows the step, and names it") {
  const temporary_directory directory;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) fail_a_check(directory.path());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);

  const auto dumps = dumps_in(directory.path());
  REQUIRE(dumps.size() == 1);
  CHECK(text_of(directory.path() + "/stderr").find("'cairn replay " + dumps.front()) !=
        std::string::npos);
  const std::string bytes = text_of(dumps.front());
  const auto dump = actors::decode_dump(as_byte_span(bytes));
  REQUIRE(dump.ok());
  CHECK(dump->head.reason.find("check failed") != std::string::npos);
  CHECK(dump->head.reason.find("trimmed to 1000000") != std::string::npos);
  const auto& last = dump->chunks.back().steps.back();
  CHECK_FALSE(last.fingerprint.has_value());
  REQUIRE(last.in.has_value());
  CHECK(std::holds_alternative<raft::log_trimmed>(*last.in));
}

TEST_CASE("recorder dumps: only the newest few files stay") {
  const temporary_directory directory;
  recorded_trio trio;
  trio.elect();
  std::vector<std::string> written;
  for (std::size_t i = 0; i < apps::k_recorder_dumps_kept + 3; ++i) {
    const auto path = apps::write_recorder_dump(directory.path(), trio.recorder(1), "a test");
    REQUIRE(path.ok());
    CHECK(std::filesystem::exists(*path));
    written.push_back(*path);
  }
  const std::vector<std::string> newest(written.end() - apps::k_recorder_dumps_kept, written.end());
  CHECK(dumps_in(directory.path()) == newest);
}

TEST_CASE("recorder dumps: a directory that is not there is named") {
  recorded_trio trio;
  const auto path = apps::write_recorder_dump("/nowhere/at/all", trio.recorder(1), "a test");
  REQUIRE_FALSE(path.ok());
  CHECK(path.code() == errc::io_error);
  CHECK(path.error().detail.find("/nowhere/at/all/recorder-") != std::string::npos);
}

}  // namespace cairn::testing
