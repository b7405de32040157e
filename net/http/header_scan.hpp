#pragma once
// The first look at a request head, byte by byte as it arrives, before any parser sees it. It finds
// the end of the head, enforces the limits on it, and refuses early what a lenient parser would
// take: bare LF and CR, control characters, folded lines, odd request lines. TLS on a plain port or
// an HTTP/2 preface is answered with its first bytes instead of being waited on.

#include "net/http/problem.hpp"
#include "net/limits.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace cairn::net {

class header_scanner {
public:
  enum class state { need_more, complete, failed };

  explicit header_scanner(const gateway_limits& limits) : limits_(&limits) {}

  /// Forgets the message: the next scan starts with the first byte of another one.
  void reset();

  /// Looks at `bytes`: everything that has come of this message, which is what the last scan saw
  /// plus some. Not called again after `failed`.
  [[nodiscard]] state scan(std::string_view bytes);

  /// Bytes of the head with its last CRLF. @pre scan() returned `complete`.
  [[nodiscard]] std::size_t head_bytes() const { return searched_; }

  /// What is wrong; always closing. @pre scan() returned `failed`.
  [[nodiscard]] problem take_failure();

private:
  [[nodiscard]] state fail(problem what);
  [[nodiscard]] std::optional<problem> check_line(std::string_view line);
  [[nodiscard]] std::optional<problem> check_sizes(std::string_view bytes) const;

  const gateway_limits* limits_;
  std::size_t searched_ = 0;      // bytes looked at
  std::size_t line_start_ = 0;    // of the unfinished line
  std::size_t fields_start_ = 0;  // 0 until the request line is complete
  std::size_t field_count_ = 0;
  bool after_cr_ = false;
  std::optional<problem> failure_;
};

/// Checks a request line without its CRLF: exactly `token SP target SP HTTP/1.x`. 400, 414, 501 and
/// 505 as the case is.
[[nodiscard]] std::optional<problem> check_request_line(std::string_view line,
                                                        const gateway_limits& limits);

}  // namespace cairn::net
