#include "apps/cairn/append_session.hpp"

#include "tests/support/temporary_directory.hpp"
#include "tests/unit/cli/fake_node.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <unistd.h>

using namespace cairn;
using namespace cairn::cli;
using cairn::testing::append_fault;
using cairn::testing::fake_node;

namespace {

const std::string k_foreign = "\"somebody else's\"";

// Appends the lines 0 ... line_count-1 in batches of ten.
class run {
public:
  explicit run(std::uint64_t line_count, std::uint64_t from_line = 1) : line_count_(line_count) {
    const auto path = directory_.path() + "/lines";
    std::ofstream file(path);
    for (std::uint64_t i = 0; i < line_count; ++i)
      file << i << "\n";
    file.close();
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(descriptor_ >= 0);
    line_source_options options;
    options.batch_lines_max = 10;
    source_ = std::make_unique<line_source>(descriptor_, options);
    REQUIRE(source_->skip_lines(from_line - 1).ok());
  }
  ~run() { ::close(descriptor_); }
  run(const run&) = delete;
  run& operator=(const run&) = delete;

  append_outcome operator()(const fake_node& node, const append_settings& settings) {
    return (*this)(node.url(), settings);
  }

  append_outcome operator()(const std::string& servers, const append_settings& settings) {
    net::client_options options;
    options.servers = net::parse_servers(servers).value();
    net::log_client client(options);
    append_session session(client, *source_, settings);
    return session.run([](const append_outcome&) {});
  }

  // The lines from `first` on.
  [[nodiscard]] std::vector<std::string> lines(std::uint64_t first = 0) const {
    std::vector<std::string> all;
    for (auto i = first; i < line_count_; ++i)
      all.push_back(std::to_string(i));
    return all;
  }

private:
  testing::temporary_directory directory_;
  std::uint64_t line_count_;
  int descriptor_ = -1;
  std::unique_ptr<line_source> source_;
};

append_settings with_retry() {
  append_settings settings;
  settings.retry_s = 20;
  settings.first_pause = std::chrono::milliseconds(1);
  return settings;
}

std::vector<std::string> without_foreign(std::vector<std::string> values) {
  std::erase(values, k_foreign);
  return values;
}

}  // namespace

TEST_CASE("append session: stores every line once, in order") {
  fake_node node;
  run lines(95);
  const auto outcome = lines(node, {});
  CHECK_FALSE(outcome.failure.has_value());
  CHECK(outcome.code == exit_ok);
  CHECK(outcome.stored_count == 95);
  CHECK(outcome.first_offset == 0U);
  CHECK(outcome.next_offset == 95);
  CHECK(outcome.next_line == 96);
  CHECK(node.values() == lines.lines());
  CHECK(node.append_count() == 10);
}

TEST_CASE("append session: an empty input stores nothing and is no failure") {
  fake_node node;
  run lines(0);
  const auto outcome = lines(node, {});
  CHECK(outcome.code == exit_ok);
  CHECK(node.append_count() == 0);
}

TEST_CASE("append session: a lost answer is resolved without --retry, whether stored or not") {
  for (const auto fault : {append_fault::drop_before, append_fault::drop_after,
                           append_fault::unknown_not_stored, append_fault::unknown_stored}) {
    fake_node node;
    node.add_fault(append_fault::none);
    node.add_fault(fault);
    run lines(40);
    const auto outcome = lines(node, {});
    CHECK(outcome.code == exit_ok);
    CHECK(outcome.stored_count == 40);
    CHECK(node.values() == lines.lines());
  }
}

TEST_CASE("append session: what stays unknown is said, with the certain part before it") {
  fake_node node;
  node.add_fault(append_fault::none);
  node.add_fault(append_fault::unknown_stored);
  // The second look is refused: what became of the first attempt stays open.
  node.add_fault(append_fault::unknown_not_stored);
  run lines(40);
  const auto outcome = lines(node, {});
  CHECK(outcome.code == exit_unknown);
  CHECK(outcome.stored_count == 10);
  CHECK(outcome.next_line == 11);
  CHECK(outcome.unknown_count == 10);
  CHECK(outcome.next_offset == 10);
  // Going on as the command says stores the rest, and nothing twice.
  run rest(40, outcome.next_line);
  append_settings settings;
  settings.at_offset = outcome.next_offset;
  const auto second = rest(node, settings);
  CHECK(second.code == exit_ok);
  CHECK(second.found_count == 10);
  CHECK(second.stored_count == 20);
  CHECK(node.values() == lines.lines());
}

TEST_CASE("append session: a node that is busy is asked again only with --retry") {
  for (const bool retries : {false, true}) {
    fake_node node;
    node.add_fault(append_fault::none);
    node.add_fault(append_fault::busy);
    node.add_fault(append_fault::busy);
    run lines(30);
    const auto outcome = lines(node, retries ? with_retry() : append_settings{});
    CHECK(outcome.code == (retries ? exit_ok : exit_failed));
    CHECK(outcome.stored_count == (retries ? 30 : 10));
    CHECK(outcome.unknown_count == 0);
  }
}

TEST_CASE("append session: another writer costs an attempt, never order or a duplicate") {
  fake_node node;
  for (const auto fault :
       {append_fault::other_writer, append_fault::none, append_fault::other_writer_drop,
        append_fault::drop_after, append_fault::other_writer}) {
    node.add_fault(fault);
  }
  run lines(60);
  const auto outcome = lines(node, with_retry());
  CHECK(outcome.code == exit_ok);
  CHECK(outcome.other_writer_count > 0);
  CHECK(without_foreign(node.values()) == lines.lines());
}

TEST_CASE("append session: any sequence of faults leaves every line there once, in order") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    fake_node node;
    for (int i = 0; i < 30; ++i) {
      auto fault = static_cast<append_fault>(random() % 8);
      node.add_fault(fault);
    }
    run lines(150);
    const auto outcome = lines(node, with_retry());
    CAPTURE(seed);
    CHECK(outcome.code == exit_ok);
    CHECK(outcome.stored_count == 150);
    CHECK(without_foreign(node.values()) == lines.lines());
  }
}

TEST_CASE("append session: any sequence of faults at three nodes of one cluster does no harm") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    fake_node first;
    fake_node second(first);
    fake_node third(first);
    for (auto* node : {&first, &second, &third}) {
      for (int i = 0; i < 15; ++i)
        node->add_fault(static_cast<append_fault>(random() % 8));
    }
    run lines(150);
    const auto outcome = lines(first.url() + "," + second.url() + "," + third.url(), with_retry());
    CAPTURE(seed);
    CHECK(outcome.code == exit_ok);
    CHECK(outcome.stored_count == 150);
    CHECK(without_foreign(first.values()) == lines.lines());
  }
}

TEST_CASE("append session: what is not yet committed does not decide about an earlier attempt") {
  fake_node node;
  for (const auto fault : {append_fault::none, append_fault::drop_before, append_fault::ahead,
                           append_fault::drop_after, append_fault::ahead}) {
    node.add_fault(fault);
  }
  run lines(40);
  const auto outcome = lines(node, with_retry());
  CHECK(outcome.code == exit_ok);
  CHECK(node.values() == lines.lines());
}

TEST_CASE("append session: a member that was learnt takes over from one that is gone for good") {
  auto first = std::make_unique<fake_node>();
  fake_node second(*first);
  first->set_cluster(fmt::format(R"({{"members":[{{"id":"n1","http":"{}"}},{{"id":"n2"}},)"
                                 R"({{"id":"n3","http":"0.0.0.0:1"}},{{"id":"n4","http":"{}"}}]}})",
                                 first->url(), second.url()));
  // The first node stores a batch and dies before it answers; without --retry.
  first->add_fault(append_fault::none);
  first->add_fault(append_fault::drop_after);
  for (int i = 0; i < 100; ++i)
    first->add_fault(append_fault::drop_before);
  run lines(95);
  const auto outcome = lines(*first, append_settings{});
  CHECK(outcome.code == exit_ok);
  CHECK(outcome.stored_count == 95);
  CHECK(second.values() == lines.lines());
  CHECK(second.append_count() > 5);
}

TEST_CASE("append session: unconditional appends are not repeated after a lost answer") {
  fake_node node;
  node.add_fault(append_fault::none);
  node.add_fault(append_fault::busy);
  node.add_fault(append_fault::drop_after);
  run lines(40);
  auto settings = with_retry();
  settings.unconditional = true;
  const auto outcome = lines(node, settings);
  CHECK(outcome.code == exit_unknown);
  CHECK(outcome.stored_count == 10);
  CHECK(outcome.unknown_count == 10);
  CHECK(node.append_count() == 3);
}

TEST_CASE("append session: --at passes over what is there, whole or in part") {
  fake_node node;
  run first(25);
  CHECK(first(node, {}).stored_count == 25);
  append_settings settings;
  settings.at_offset = 0;
  run all(40);
  const auto outcome = all(node, settings);
  CHECK(outcome.code == exit_ok);
  CHECK(outcome.found_count == 25);
  CHECK(outcome.stored_count == 15);
  CHECK(node.values() == all.lines());
  run again(40);
  CHECK(again(node, settings).found_count == 40);
  CHECK(node.values() == all.lines());
}

TEST_CASE("append session: --at stops where the log holds something else, or nothing") {
  fake_node node;
  for (const std::string_view value : {"0", "1", "\"other\"", "3"})
    node.add_value(std::string(value));
  append_settings settings;
  settings.at_offset = 0;
  run lines(20);
  const auto outcome = lines(node, settings);
  CHECK(outcome.code == exit_failed);
  CHECK(outcome.failure->detail == "offset 2 of the log default holds something else than line 3");
  CHECK(node.values().size() == 4);
  settings.at_offset = 9;
  run beyond(20);
  CHECK(beyond(node, settings).failure->detail == "--at 9: the log default holds 0 to 4");
}

TEST_CASE("append session: a batch that the node refuses is named by its lines") {
  fake_node node;
  node.add_fault(append_fault::none);
  node.add_fault(append_fault::too_large);
  run lines(30);
  const auto outcome = lines(node, with_retry());
  CHECK(outcome.code == exit_failed);
  CHECK(outcome.failure->detail.find("batch of lines 11 to 20: as told") == 0);
  CHECK(outcome.stored_count == 10);
  CHECK(outcome.unknown_count == 0);
}

TEST_CASE("append session: without a node nothing is stored and nothing is unknown") {
  std::uint64_t port = 0;
  {
    fake_node gone;
    port = gone.port();
  }
  net::client_options options;
  options.servers = net::parse_servers("127.0.0.1:" + std::to_string(port)).value();
  net::log_client client(options);
  line_source source(STDIN_FILENO, {});
  append_session session(client, source, {});
  const auto outcome = session.run([](const append_outcome&) {});
  CHECK(outcome.code == exit_unreachable);
  CHECK(outcome.unknown_count == 0);
}
