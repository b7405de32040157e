#include "net/http/header_scan.hpp"

#include "net/http/request.hpp"
#include "storage/base/check.hpp"

#include <array>
#include <cstdint>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::size_t k_method_bytes_max = 32;  // longer than any registered method

enum byte_class : std::uint8_t { plain, lf, cr, control };

constexpr std::array<byte_class, 256> k_byte_classes = [] {
  std::array<byte_class, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c)
    table[c] = control;
  table[0x7f] = control;
  table['\t'] = plain;
  table['\n'] = lf;
  table['\r'] = cr;
  return table;
}();

constexpr bool is_token_char(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return !text.empty();
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::optional<problem> check_version(std::string_view version) {
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return std::nullopt;
  if (version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
      version[6] == '.' && is_digit(version[7])) {
    return make_problem(505, "http-version-not-supported",
                        fmt::format("{} is not spoken here, HTTP/1.1 and 1.0 are", version))
        .closing();
  }
  return bad_framing("the request line does not end with an HTTP version");
}

}  // namespace

std::optional<problem> check_request_line(std::string_view line, const gateway_limits& limits) {
  const auto method_end = line.find(' ');
  if (method_end == std::string_view::npos) {
    return bad_framing("the request line has no target and version (HTTP/0.9?)");
  }
  const std::string_view method = line.substr(0, method_end);
  if (!is_token(method)) return bad_framing("the method is not a token");
  if (method.size() > k_method_bytes_max) {
    return make_problem(501, "unsupported",
                        fmt::format("a method of {} letters is not known", method.size()))
        .closing();
  }
  const std::string_view rest = line.substr(method_end + 1);
  const auto target_end = rest.find(' ');
  const std::string_view target = rest.substr(0, target_end);
  if (target.size() > limits.target_bytes) {
    return make_problem(414, "uri-too-long",
                        fmt::format("the URL has more than {} bytes", limits.target_bytes))
        .closing()
        .with_fact("limit_bytes", limits.target_bytes);
  }
  if (target_end == std::string_view::npos) {
    return bad_framing("the request line has no HTTP version (HTTP/0.9?)");
  }
  if (auto wrong = check_version(rest.substr(target_end + 1))) return wrong;
  if (target.empty()) return bad_framing("the request line has no target");
  for (const char c : target) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      return bad_framing("the URL has bytes that are not ASCII; percent-encode them");
    }
    if (c == '#' || c == '\\') {
      return bad_framing(fmt::format("the URL has the character '{}'; percent-encode it", c));
    }
  }
  return std::nullopt;
}

void header_scanner::reset() {
  searched_ = line_start_ = fields_start_ = field_count_ = 0;
  after_cr_ = false;
  failure_.reset();
}

header_scanner::state header_scanner::fail(problem what) {
  failure_ = std::move(what).closing();
  return state::failed;
}

problem header_scanner::take_failure() {
  CAIRN_CHECK(failure_.has_value(), "no failure to take");
  return std::move(*failure_);
}

std::optional<problem> header_scanner::check_line(std::string_view line) {
  if (fields_start_ == 0) return check_request_line(line, *limits_);
  if (line.front() == ' ' || line.front() == '\t') {
    return bad_framing("a header is folded over two lines");
  }
  if (++field_count_ > limits_->header_fields) {
    return make_problem(431, "headers-too-large",
                        fmt::format("there are more than {} headers", limits_->header_fields));
  }
  return std::nullopt;
}

std::optional<problem> header_scanner::check_sizes(std::string_view bytes) const {
  if (fields_start_ == 0) {
    // The line has not ended: only its length can be judged, by the part that is too long.
    if (bytes.size() <= limits_->target_bytes + k_method_bytes_max + 16) return std::nullopt;
    auto wrong = check_request_line(bytes, *limits_);
    return wrong ? std::move(wrong) : bad_framing("the request line does not end");
  }
  if (bytes.size() - fields_start_ <= limits_->header_bytes) return std::nullopt;
  return make_problem(431, "headers-too-large",
                      fmt::format("the headers have more than {} bytes", limits_->header_bytes))
      .with_fact("limit_bytes", limits_->header_bytes);
}

header_scanner::state header_scanner::scan(std::string_view bytes) {
  for (std::size_t i = searched_; i < bytes.size(); ++i) {
    const byte_class kind = k_byte_classes[static_cast<unsigned char>(bytes[i])];
    if (kind == plain && !after_cr_) continue;
    if (after_cr_ && kind != lf) return fail(bad_framing("a CR stands without its LF"));
    if (kind == cr) {
      after_cr_ = true;
      continue;
    }
    if (kind == control) {
      return fail(bad_framing(fmt::format("the request head has the control character 0x{:02x}",
                                          static_cast<unsigned char>(bytes[i]))));
    }
    if (!after_cr_) return fail(bad_framing("a line ends with LF without CR"));
    after_cr_ = false;
    const std::string_view line = bytes.substr(line_start_, i - 1 - line_start_);
    const bool ends_head = line.empty() && fields_start_ != 0;
    if (!ends_head) {
      if (auto wrong = check_line(line)) return fail(std::move(*wrong));
    }
    line_start_ = i + 1;
    if (fields_start_ == 0) fields_start_ = i + 1;
    if (ends_head) {
      if (auto wrong = check_sizes(bytes.substr(0, i + 1))) return fail(std::move(*wrong));
      searched_ = i + 1;
      return state::complete;
    }
  }
  searched_ = bytes.size();
  if (auto wrong = check_sizes(bytes)) return fail(std::move(*wrong));
  return state::need_more;
}

}  // namespace cairn::net
