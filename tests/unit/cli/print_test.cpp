#include "apps/cairn/record_printer.hpp"

#include <array>
#include <doctest/doctest.h>
#include <string>
#include <unistd.h>
#include <vector>

using namespace cairn;
using namespace cairn::cli;

namespace {

const std::vector<std::string> k_objects{
    R"({"offset":0,"timestamp":"t","value":{"a": 1}})",
    R"({"offset":1,"timestamp":"t","value":"two \"lines\"\n"})",
    R"({"offset":2,"timestamp":"t","value_base64":"AP8="})",
};

// What a printer of that format makes of the objects. Short enough for the buffer of a pipe.
std::string printed(print_format format, const std::vector<std::string>& objects) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  {
    output out(ends[1]);
    record_printer printer(format, out);
    for (const auto& object : objects)
      CHECK(printer.print(object).ok());
    printer.finish();
  }
  ::close(ends[1]);
  std::string text(10'000, '\0');
  const auto got = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  text.resize(static_cast<std::size_t>(got));
  return text;
}

}  // namespace

TEST_CASE("printing: ndjson is what the node sent, json is one array of it") {
  CHECK(printed(print_format::ndjson, k_objects) ==
        k_objects[0] + "\n" + k_objects[1] + "\n" + k_objects[2] + "\n");
  CHECK(printed(print_format::json, k_objects) ==
        "[\n" + k_objects[0] + ",\n" + k_objects[1] + ",\n" + k_objects[2] + "\n]\n");
  CHECK(printed(print_format::json, {}) == "[]\n");
}

TEST_CASE("printing: raw gives the values alone, text unwraps JSON strings too") {
  const std::string bytes("\0\xff\n", 3);
  CHECK(printed(print_format::raw, k_objects) == "{\"a\": 1}\n\"two \\\"lines\\\"\\n\"\n" + bytes);
  CHECK(printed(print_format::text, k_objects) == "{\"a\": 1}\ntwo \"lines\"\n\n" + bytes);
}

TEST_CASE("printing: what is no record is an error") {
  output out;
  record_printer printer(print_format::raw, out);
  CHECK(printer.print("{}").code() == errc::corruption);
  CHECK(printer.print(R"({"offset":0,"value_base64":"!"})").code() == errc::corruption);
}
