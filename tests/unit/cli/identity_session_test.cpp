#include "apps/cairn/identity_session.hpp"

#include "tests/support/temporary_directory.hpp"
#include "tests/unit/cli/fake_node.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <thread>
#include <unistd.h>

using namespace cairn;
using namespace cairn::cli;
using cairn::testing::append_fault;
using cairn::testing::fake_node;

namespace {

identity_settings of_producer(std::string id, std::uint64_t epoch = 0) {
  identity_settings settings;
  settings.producer = std::move(id);
  settings.epoch = epoch;
  settings.retry_s = 20;
  settings.first_pause = std::chrono::milliseconds(1);
  return settings;
}

identity_settings of_key(std::string key) {
  auto settings = of_producer("");
  settings.idempotency_key = std::move(key);
  return settings;
}

std::vector<std::string> numbers(std::uint64_t first, std::uint64_t end) {
  std::vector<std::string> out;
  for (auto i = first; i < end; ++i)
    out.push_back(std::to_string(i));
  return out;
}

// One run of the command over the lines, in batches of ten.
append_outcome run(const fake_node& node, const std::vector<std::string>& lines,
                   const identity_settings& settings) {
  const testing::temporary_directory directory;
  const auto path = directory.path() + "/lines";
  {
    std::ofstream file(path);
    for (const auto& line : lines)
      file << line << "\n";
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(descriptor >= 0);
  line_source_options options;
  options.batch_lines_max = 10;
  options.full_batches = true;
  line_source source(descriptor, options);
  net::client_options client_options;
  client_options.servers = net::parse_servers(node.url()).value();
  net::log_client client(client_options);
  auto outcome = identity_session(client, source, settings).run([](const append_outcome&) {});
  ::close(descriptor);
  return outcome;
}

}  // namespace

TEST_CASE("identity session: a producer's lines are stored once, whatever becomes of the answers") {
  fake_node node;
  for (const auto fault :
       {append_fault::none, append_fault::drop_after, append_fault::drop_before,
        append_fault::unknown_stored, append_fault::unknown_not_stored, append_fault::busy,
        append_fault::other_writer, append_fault::drop_after, append_fault::drop_after}) {
    node.add_fault(fault);
  }
  const auto outcome = run(node, numbers(0, 95), of_producer("p"));
  CHECK(outcome.code == exit_ok);
  CHECK(outcome.stored_count + outcome.found_count == 95);
  auto values = node.values();
  std::erase(values, "\"somebody else's\"");
  CHECK(values == numbers(0, 95));
}

TEST_CASE("identity session: the same command again goes on where the first one ended") {
  fake_node node;
  CHECK(run(node, numbers(0, 80), of_producer("p")).stored_count == 80);
  const int before = node.append_count();
  const auto again = run(node, numbers(0, 120), of_producer("p"));
  CHECK(again.code == exit_ok);
  CHECK(again.found_count == 80);
  CHECK(again.stored_count == 40);
  CHECK(node.values() == numbers(0, 120));
  // The first batch told how many there are, the last known one that the input is the same.
  CHECK(node.append_count() - before == 2 + 4);
}

TEST_CASE("identity session: another input under a producer's name is refused") {
  fake_node node;
  CHECK(run(node, numbers(0, 30), of_producer("p")).code == exit_ok);
  const auto other = run(node, numbers(5, 60), of_producer("p"));
  CHECK(other.code == exit_failed);
  REQUIRE(other.failure.has_value());
  CHECK(other.failure->code == errc::key_reused);
  CHECK(other.failure->detail.find("lines 1 to 10 are not what was stored") != std::string::npos);
  // Also when the first batches are forgotten.
  CHECK(run(node, numbers(100, 200), of_producer("q")).code == exit_ok);
  const auto late = run(node, numbers(101, 300), of_producer("q"));
  CHECK(late.failure.has_value());
  CHECK(late.failure->code == errc::key_reused);
  CHECK(node.values().size() == 130);
  // A new epoch begins another input.
  CHECK(run(node, numbers(5, 60), of_producer("p", 1)).stored_count == 55);
}

TEST_CASE("identity session: a key stands for the whole input, which is stored once") {
  fake_node node;
  node.add_fault(append_fault::drop_after);
  const auto first = run(node, numbers(0, 10), of_key("k"));
  CHECK(first.code == exit_ok);
  CHECK(first.found_count == 10);
  CHECK(first.first_offset == 0);
  const auto again = run(node, numbers(0, 10), of_key("k"));
  CHECK(again.code == exit_ok);
  CHECK(again.found_count == 10);
  const auto other = run(node, numbers(1, 10), of_key("k"));
  CHECK(other.failure.has_value());
  CHECK(other.failure->code == errc::key_reused);
  CHECK(node.values() == numbers(0, 10));
}

TEST_CASE("identity session: a key with more than one append can hold is refused first") {
  fake_node node;
  const auto outcome = run(node, numbers(0, 11), of_key("k"));
  CHECK(outcome.code == exit_failed);
  CHECK(outcome.failure.has_value());
  CHECK(outcome.failure->code == errc::too_large);
  CHECK(node.append_count() == 0);
}

TEST_CASE("identity session: what stays unanswered is called unknown, and is settled later") {
  fake_node node;
  for (int i = 0; i < 3; ++i)
    node.add_fault(append_fault::drop_after);
  auto settings = of_producer("p");
  settings.retry_s = 0;
  const auto cut = run(node, numbers(0, 30), settings);
  CHECK(cut.code == exit_unknown);
  CHECK(cut.unknown_count == 10);
  CHECK(cut.next_line == 1);
  CHECK(run(node, numbers(0, 30), of_producer("p")).code == exit_ok);
  CHECK(node.values() == numbers(0, 30));
}

TEST_CASE("identity session: batches depend on the input, not on when it comes") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  line_source_options options;
  options.batch_lines_max = 3;
  options.full_batches = true;
  line_source source(ends[0], options);
  std::thread writer([&] {
    for (const std::string_view piece : {"1\n2\n", "3\n4", "\n5\n6\n7\n"})
      CHECK(::write(ends[1], piece.data(), piece.size()) > 0);
    ::close(ends[1]);
  });
  std::vector<std::uint64_t> counts;
  while (true) {
    const auto batch = source.next(true);
    REQUIRE(batch.ok());
    if (!*batch) break;
    counts.push_back((*batch)->line_count);
  }
  writer.join();
  ::close(ends[0]);
  CHECK(counts == std::vector<std::uint64_t>{3, 3, 1});
}
