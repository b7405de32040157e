#include "apps/cairn/context.hpp"
#include "apps/cairn/latency_histogram.hpp"
#include "apps/cairn/progress_bar.hpp"
#include "apps/cairn/stored_lines.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <vector>

using namespace cairn;
using namespace cairn::cli;

TEST_CASE("numbers: are written for people") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(12345678) == "12,345,678");
  CHECK(human_bytes(999) == "999 B");
  CHECK(human_bytes(1000) == "1.0 kB");
  CHECK(human_bytes(80'123'456) == "80.1 MB");
}

TEST_CASE("progress line: shows part, rate and time left, and fits the terminal") {
  CHECK(progress_line({5000, 50'000'000, 100'000'000}, 2.0, 200) ==
        " 50% [############            ] 5,000 records  50.0 MB  25.0 MB/s  ETA 2s");
  CHECK(progress_line({5000, 50'000'000, std::nullopt}, 2.0, 200) ==
        "5,000 records  50.0 MB  25.0 MB/s  2s");
  CHECK(progress_line({5000, 50'000'000, 100'000'000}, 2.0, 20).size() == 20);
  CHECK(progress_line({0, 0, 10}, 0.0, 200) ==
        "  0% [                        ] 0 records  0 B  0 B/s");
  CHECK(progress_line({1, 20, 10}, 1.0, 200).find("100%") == 0);
}

TEST_CASE("latency histogram: quantiles are within 1.6 % of the sorted truth") {
  std::mt19937_64 random(7);
  latency_histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 100'000; ++i) {
    const auto value = random() >> (random() % 60);
    values.push_back(value);
    histogram.add(value);
  }
  std::sort(values.begin(), values.end());
  for (const double part : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(part * 100'000 + 0.5) - 1, 0, 99'999);
    const auto truth = static_cast<double>(values[static_cast<std::size_t>(rank)]);
    const auto found = static_cast<double>(histogram.quantile_ns(part));
    CAPTURE(part);
    CHECK(found >= truth);
    CHECK(found <= truth * 1.016 + 1);
  }
  CHECK(histogram.max_ns() == values.back());
  CHECK(latency_histogram().quantile_ns(0.5) == 0);
}

TEST_CASE("record reader: finds the parts in any order") {
  record_reader reader;
  const auto record = reader.parse(
      R"({"value":{"a": [1, "}"]} ,"key":"k","offset":18446744073709551615,"headers":{}})");
  REQUIRE(record.ok());
  CHECK(record->offset == 18446744073709551615U);
  CHECK(record->raw_value == R"({"a": [1, "}"]})");
  const auto text = reader.parse(R"({"offset":1,"value":"a\nb"})");
  REQUIRE(text.ok());
  CHECK(text->raw_value == R"("a\nb")");
  CHECK(reader.string_value(*text) == "a\nb");
  const auto number = reader.parse(R"({"offset":1,"value": 1e999 })");
  REQUIRE(number.ok());
  CHECK(number->raw_value == "1e999");
  CHECK_FALSE(reader.string_value(*number).has_value());
  const auto bytes = reader.parse(R"({"offset":1,"value_base64":"AP8="})");
  REQUIRE(bytes.ok());
  CHECK_FALSE(bytes->has_value);
  CHECK(bytes->value_base64 == "AP8=");
  for (const std::string_view bad :
       {"", "1", "{}", R"({"value":1})", R"({"offset":-1})", "{\"offset\":1"}) {
    CHECK_MESSAGE(reader.parse(bad).code() == errc::corruption, bad);
  }
}
