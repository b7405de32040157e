#include "apps/cairn/line_source.hpp"

#include <array>
#include <csignal>
#include <doctest/doctest.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace cairn;
using namespace cairn::cli;

namespace {

// A pipe that a thread fills, so that any amount of input fits.
class input {
public:
  explicit input(std::string text, bool keeps_open = false) {
    // The reader may go before everything is written.
    std::signal(SIGPIPE, SIG_IGN);
    REQUIRE(::pipe(ends_.data()) == 0);
    writer_ = std::thread([this, text = std::move(text), keeps_open] {
      std::string_view rest = text;
      while (!rest.empty()) {
        const auto written = ::write(ends_[1], rest.data(), rest.size());
        if (written <= 0) break;
        rest.remove_prefix(static_cast<std::size_t>(written));
      }
      if (!keeps_open) close_writer();
    });
  }
  ~input() {
    ::close(ends_[0]);
    writer_.join();
    if (ends_[1] >= 0) close_writer();
  }
  input(const input&) = delete;
  input& operator=(const input&) = delete;

  void write_all() {
    writer_.join(), writer_ = std::thread([] {});
  }
  [[nodiscard]] int descriptor() const { return ends_[0]; }

private:
  void close_writer() {
    ::close(ends_[1]);
    ends_[1] = -1;
  }
  std::array<int, 2> ends_{-1, -1};
  std::thread writer_;
};

std::vector<line_batch> all(line_source& source) {
  std::vector<line_batch> batches;
  while (true) {
    auto batch = source.next(true);
    REQUIRE_MESSAGE(batch.ok(), (batch.ok() ? "" : batch.error().detail));
    if (!*batch) return batches;
    batches.push_back(**batch);
  }
}

}  // namespace

TEST_CASE("line source: lines become batches, the last end may be missing") {
  const input pipe("1\n{\"a\":2}\r\n3");
  line_source source(pipe.descriptor(), {});
  std::string body;
  std::uint64_t bytes = 0;
  for (const auto& batch : all(source)) {
    body += batch.body;
    bytes += batch.input_bytes;
  }
  CHECK(body == "1\n{\"a\":2}\n3\n");
  CHECK(bytes == 12);
  CHECK(source.next_line() == 4);
}

TEST_CASE("line source: batches keep their bounds") {
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += std::to_string(i) + "\n";
  const input pipe(text);
  line_source_options options;
  options.batch_lines_max = 64;
  options.batch_bytes_max = 100;
  line_source source(pipe.descriptor(), options);
  std::uint64_t expected_line = 1;
  std::string body;
  for (const auto& batch : all(source)) {
    CHECK(batch.line_count <= 64);
    CHECK(batch.body.size() <= 101);
    CHECK(batch.first_line == expected_line);
    expected_line += batch.line_count;
    body += batch.body;
  }
  CHECK(body == text);
}

TEST_CASE("line source: a line over the batch size is a batch of its own") {
  const std::string long_line = "\"" + std::string(600'000, 'x') + "\"";
  const input pipe("1\n" + long_line + "\n2\n");
  line_source_options options;
  options.batch_bytes_max = 1000;
  line_source source(pipe.descriptor(), options);
  const auto batches = all(source);
  REQUIRE(batches.size() == 3);
  CHECK(batches[1].body == long_line + "\n");
}

TEST_CASE("line source: a bad line is named after the good ones were handed out") {
  const input pipe("1\n2\n{bad}\n4\n");
  line_source_options options;
  options.name = "x.ndjson";
  line_source source(pipe.descriptor(), options);
  std::uint64_t lines = 0;
  auto batch = source.next(true);
  for (; batch.ok(); batch = source.next(true))
    lines += (**batch).line_count;
  CHECK(lines == 2);
  CHECK(batch.code() == errc::invalid_argument);
  CHECK(batch.error().detail.find("x.ndjson, line 3: is not JSON: not one JSON text, at byte 1") ==
        0);
  CHECK(source.next_line() == 3);
  CHECK_FALSE(source.next(true).ok());
}

TEST_CASE("line source: empty, overlong and unreadable input is refused") {
  const input empty_line("1\n\n");
  line_source with_empty(empty_line.descriptor(), {});
  auto batch = with_empty.next(true);
  while (batch.ok())
    batch = with_empty.next(true);
  CHECK(batch.error().detail.find("-, line 2: is empty") == 0);
  const input endless(std::string(2'000'000, 'x'));
  line_source_options options;
  options.line_bytes_max = 1'000'000;
  line_source with_endless(endless.descriptor(), options);
  CHECK(with_endless.next(true).error().detail == "-, line 1: is longer than 1000000 bytes");
  CHECK_FALSE(line_source(9999, {}).next(true).ok());
}

TEST_CASE("line source: text lines become JSON strings") {
  const input pipe("say \"hi\"\n\ngr\xc3\xbc\xc3\x9f\n\xff\n");
  line_source_options options;
  options.format = line_format::text;
  line_source source(pipe.descriptor(), options);
  std::string body;
  auto batch = source.next(true);
  for (; batch.ok(); batch = source.next(true))
    body += (**batch).body;
  CHECK(body == "\"say \\\"hi\\\"\"\n\"\"\n\"gr\xc3\xbc\xc3\x9f\"\n");
  CHECK(batch.error().detail == "-, line 4: not valid UTF-8");
}

TEST_CASE("line source: what has come makes a batch while more is awaited") {
  input pipe("1\n2\npart", true);
  pipe.write_all();
  line_source source(pipe.descriptor(), {});
  const auto batch = source.next(true);
  REQUIRE(batch.ok());
  CHECK((**batch).body == "1\n2\n");
  const auto nothing = source.next(false);
  REQUIRE(nothing.ok());
  CHECK((**nothing).line_count == 0);
}

TEST_CASE("line source: lines can be passed over") {
  const input pipe("bad\n2\n3\n");
  line_source source(pipe.descriptor(), {});
  CHECK(source.skip_lines(1).ok());
  const auto batch = source.next(true);
  REQUIRE(batch.ok());
  CHECK((**batch).first_line == 2);
  CHECK(source.skip_lines(5).error().detail == "- has only 3 lines");
}

TEST_CASE("line batch: drops lines from its front") {
  line_batch batch{5, 3, 6, "1\n2\n3\n"};
  batch.drop_front(2);
  CHECK(batch.body == "3\n");
  CHECK(batch.first_line == 7);
  CHECK(batch.line_count == 1);
  batch.drop_front(1);
  CHECK(batch.body.empty());
}
