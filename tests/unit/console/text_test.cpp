// Numbers for people, texts that fit, JSON from any message.
#include "apps/console/human.hpp"
#include "apps/console/screen.hpp"
#include "apps/console/to_json.hpp"
#include "tests/unit/console/fake_inspector.hpp"

#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>
#include <limits>

using namespace cairn;
using namespace cairn::console;

TEST_CASE("text: sizes, counts and times are told as people do") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(1023) == "1023 B");
  CHECK(bytes_text(1024) == "1.0 KiB");
  CHECK(bytes_text(1'300'000) == "1.2 MiB");
  CHECK(bytes_text(1'048'575) == "1.0 MiB");
  CHECK(count_text(0) == "0");
  CHECK(count_text(12'345'678) == "12,345,678");
  CHECK(count_of(1, "record") == "1 record");
  CHECK(count_of(2, "record") == "2 records");
  CHECK(duration_text(850) == "850 ms");
  CHECK(duration_text(1'230) == "1.2 s");
  CHECK(duration_text(47'900) == "47 s");
  CHECK(duration_text(125'000) == "2 min 5 s");
  CHECK(duration_text(1'800'000) == "30 min");
  CHECK(duration_text(7'500'000) == "2 h 5 min");
  CHECK(duration_text(273'600'000) == "3 d 4 h");
  CHECK(short_time_text(640) == "640 ns");
  CHECK(short_time_text(12'340) == "12.3 us");
  CHECK(short_time_text(1'240'000) == "1.24 ms");
  CHECK(short_time_text(2'100'000'000) == "2.10 s");
}

TEST_CASE("text: times are UTC, with their age") {
  CHECK(time_text(k_now_ms) == "2026-11-23 07:00:00 UTC");
  CHECK(clock_text(k_now_ms + 45) == "07:00:00.045");
  CHECK(age_text(k_now_ms - 3'000, k_now_ms) == "3.0 s ago");
  CHECK(age_text(k_now_ms + 3'000, k_now_ms) == "in 3.0 s");
  CHECK(age_text(0, k_now_ms) == "-");
  CHECK(time_and_age(k_now_ms - 60'000, k_now_ms) == "2026-11-23 06:59:00 UTC (1 min ago)");
  CHECK(time_and_age(0, k_now_ms) == "an unknown time");
}

TEST_CASE("text: what is cut has a mark at its end and is as wide as it may be") {
  CHECK(cut("abcdef", 6, true) == "abcdef");
  CHECK(cut("abcdefg", 6, true) == "abcde\u2026");
  CHECK(cut("abcdefg", 6, false) == "abcde~");
  CHECK(cut("\u00e4\u00f6\u00fc\u00e4", 3, true) == "\u00e4\u00f6\u2026");
  CHECK(cut("abc", 0, true) == "");
  CHECK(width_of("\033[31mab\033[0m\u00e4") == 3);
}

TEST_CASE("text: lines break at blanks and go on below their beginning") {
  CHECK(wrapped("one two three", 20, 2, 0) == "one two three");
  CHECK(wrapped("one two three four five", 14, 2, 0) == "one two three\n  four five");
  CHECK(wrapped("one two three four", 14, 2, 9) == "one\n  two three\n  four");
  CHECK(wrapped("one two", 0, 2) == "one two");
}

TEST_CASE("text: a bar is to scale, and never nothing for something") {
  CHECK(width_of(bar(50, 100, 20, true)) == 10);
  CHECK(bar(50, 100, 20, false) == std::string(10, '#'));
  CHECK(bar(1, 1'000'000, 20, false) == "#");
  CHECK(width_of(bar(1, 1'000'000, 20, true)) == 1);
  CHECK(bar(0, 100, 20, true) == "");
  CHECK(width_of(bar(200, 100, 20, true)) == 20);
}

TEST_CASE("text: bytes that are no UTF-8, and control characters, become question marks") {
  CHECK(printable("a\xff\xc3_b\x1b[2J\x7f", true) == "a??_b?[2J?");
  CHECK(printable("\xed\xa0\x80", true) == "???");
  CHECK(printable("\xf4\x90\x80\x80", true) == "????");
  CHECK(printable("\xc0\xaf", true) == "??");
  CHECK(printable("\u00e4\u20ac\U0001f600", true) == "\u00e4\u20ac\U0001f600");
  CHECK(printable("\u00e4", false) == "?");
  CHECK(printable("a\tb\nc", true) == "a b c");
}

TEST_CASE("text: columns that may shrink do, the others stay whole") {
  table list({{"A"}, {"LONG", table::align::left, true}, {"N", table::align::right}});
  list.add({"x", "a very long text that has no room", "12"});
  screen narrow;
  narrow.columns = 24;
  CHECK(list.text(narrow) == "A  LONG                N\nx  a very long text~  12\n");
  CHECK(list.text(screen{}) ==
        "A  LONG                                N\nx  a very long text that has no room  12\n");
}

TEST_CASE("json: numbers of 64 bits are numbers, bytes are text, all plain fields are there") {
  v1::InspectAnswer answer;
  answer.set_node("n1");
  auto& raft = *answer.mutable_raft();
  raft.set_commit_index(std::numeric_limits<std::uint64_t>::max());
  raft.set_since_ms(-5);
  raft.set_refuses("a\xff\"\x01");
  raft.add_peers()->set_node("n2");
  raft.set_last_contact_ms(std::numeric_limits<std::uint64_t>::max());
  const auto json = to_json(answer);
  CHECK(json.at("raft").at("commit_index").as_uint64() ==
        std::numeric_limits<std::uint64_t>::max());
  CHECK(json.at("raft").at("last_contact_ms").is_null());  // never
  CHECK(json.at("raft").at("since_ms").as_int64() == -5);
  CHECK(json.at("raft").at("refuses").as_string() == "a\xef\xbf\xbd\"\x01");
  CHECK(json.at("raft").at("term").to_number<int>() == 0);
  CHECK(json.at("raft").at("fenced").as_bool() == false);
  CHECK(json.at("raft").at("peers").at(0).at("node").as_string() == "n2");
  CHECK(json.at("raft").at("elections").as_array().empty());
  CHECK(json.if_contains("actors") == nullptr);
}

TEST_CASE("json: maps are objects, and what is no finite number is null") {
  v1::MetricSample sample;
  (*sample.mutable_labels())["log"] = "default";
  sample.set_value(std::numeric_limits<double>::infinity());
  const auto json = to_json(sample);
  CHECK(json.at("labels").at("log").as_string() == "default");
  CHECK(json.at("value").is_null());
}
