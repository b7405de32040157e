#pragma once
// A request's head as the handlers see it. Views point into the connection's buffer and are valid
// until the request has been handed to its handler.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::net {

/// The methods that HTTP defines; `other` is any further token.
enum class http_method : std::uint8_t {
  get,
  head,
  post,
  put,
  patch,
  del,
  options,
  connect,
  trace,
  other
};
inline constexpr std::size_t k_method_count = 10;

/// "GET" and so on; "other" for `other`, so that metrics stay bounded.
[[nodiscard]] std::string_view to_string(http_method method);
/// Methods are case-sensitive.
[[nodiscard]] http_method parse_method(std::string_view token);

struct header_field {
  std::string_view name;
  std::string_view value;
};

/// Case-insensitive comparison of ASCII text, as field names and many tokens need it.
[[nodiscard]] bool iequals(std::string_view a, std::string_view b);
/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

struct request_head {
  http_method method = http_method::other;
  std::string_view method_text;
  std::string_view target;
  unsigned minor_version = 1;  ///< HTTP/1.x
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  std::optional<std::uint64_t> content_length;
  std::string_view accept;  ///< all Accept fields, joined with commas
  std::optional<std::string_view> content_type;
  std::optional<std::string_view> content_encoding;
  std::optional<std::string_view> traceparent;
  std::optional<std::string_view> last_event_id;
  std::vector<header_field> fields;        ///< all, as sent
  std::vector<header_field> cairn_fields;  ///< those that begin with "Cairn-" and Idempotency-Key

  [[nodiscard]] bool has_body() const {
    return chunked || (content_length.has_value() && *content_length > 0);
  }
  /// Empties it for the next request; the vectors keep their memory.
  void clear();
};

}  // namespace cairn::net
