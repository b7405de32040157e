// What a client sends: a head, and a body in chunks if it says so. Cutting the bytes anywhere must
// not change what they are taken for; a head that passes has no line ends and no control characters
// left in it; a path that is found was one of ours.
#include "net/http/accept.hpp"
#include "net/http/header_scan.hpp"
#include "net/http/query.hpp"
#include "net/http/request_parser.hpp"
#include "net/http/router.hpp"
#include "net/http/target.hpp"
#include "storage/base/check.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace cairn;
using namespace cairn::net;

constexpr std::uint64_t k_body_bytes = 4096;

class body_text final : public body_sink {
public:
  bool append_body(std::string_view bytes) override {
    text.append(bytes);
    return text.size() <= k_body_bytes;
  }
  std::string text;
};

/// Scans `bytes` in two pieces.
header_scanner::state scan_cut(header_scanner& scanner, std::string_view bytes, std::size_t cut) {
  const auto first = scanner.scan(bytes.substr(0, cut));
  return first == header_scanner::state::need_more ? scanner.scan(bytes) : first;
}

void check_text(std::string_view text) {
  for (const char c : text) {
    CAIRN_CHECK(c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f),
                "a control character has passed");
  }
}

void check_routing(const request_head& head) {
  request_target target;
  if (parse_target(head.target, target)) return;
  const route_match match = find_route(target);
  if (match.found != nullptr) {
    CAIRN_CHECK(!match.found->pattern.empty(), "a route without a pattern");
    CAIRN_CHECK(match.log.find('/') == std::string_view::npos, "a log with a slash");
  }
  query_reader query;
  if (!query.parse(target.query)) {
    std::uint64_t number = 7;
    static_cast<void>(query.take_number("limit", 1, 10, number));
    CAIRN_CHECK(number >= 1 && number <= 10, "the number {} has passed", number);
    static_cast<void>(query.refuse_unknown());
  }
  constexpr std::array<std::string_view, 3> offers{"application/json", "application/x-ndjson",
                                                   "text/event-stream"};
  const auto chosen = negotiate(head.accept, offers);
  CAIRN_CHECK(!chosen || *chosen < offers.size(), "an offer that nobody made");
}

/// Parses a chunked body whose bytes come in two pieces. The body, or nothing if it is not
/// complete.
std::optional<std::string> parse_body(std::string_view head_bytes, std::string_view body,
                                      std::size_t cut, const gateway_limits& limits) {
  request_head head;
  std::string accept;
  request_parser parser(head, limits);
  CAIRN_CHECK(!parser.parse_head(head_bytes, accept), "a head passes once and not again");
  body_text out;
  const auto first = parser.parse_chunks(body.substr(0, cut), k_body_bytes, out);
  if (first.state == request_parser::progress::complete) return out.text;
  if (first.state == request_parser::progress::failed) return std::nullopt;
  const auto rest = parser.parse_chunks(body.substr(first.consumed_bytes), k_body_bytes, out);
  if (rest.state != request_parser::progress::complete) return std::nullopt;
  CAIRN_CHECK(out.text.size() <= k_body_bytes, "a body of {} bytes has passed", out.text.size());
  return out.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const gateway_limits limits;
  if (size == 0) return 0;
  // The first byte says where the input is cut.
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = bytes.size() * data[0] / 255;
  header_scanner whole(limits);
  header_scanner pieces(limits);
  const auto state = whole.scan(bytes);
  CAIRN_CHECK(scan_cut(pieces, bytes, cut) == state, "cut at {}, the head is another", cut);
  if (state != header_scanner::state::complete) return 0;
  CAIRN_CHECK(whole.head_bytes() == pieces.head_bytes(), "cut at {}, the head ends elsewhere", cut);

  const std::string_view head_bytes = bytes.substr(0, whole.head_bytes());
  request_head head;
  std::string accept;
  request_parser parser(head, limits);
  if (parser.parse_head(head_bytes, accept)) return 0;
  check_text(head.target);
  for (const header_field& field : head.fields) {
    check_text(field.name);
    check_text(field.value);
  }
  CAIRN_CHECK(!(head.chunked && head.content_length), "two lengths have passed");
  check_routing(head);
  if (head.chunked) {
    const std::string_view body = bytes.substr(head_bytes.size());
    const auto at_once = parse_body(head_bytes, body, body.size(), limits);
    const auto cut_body = parse_body(head_bytes, body, body.size() * data[0] / 255, limits);
    CAIRN_CHECK(at_once == cut_body, "cut in two, the body is another");
  }
  return 0;
}
