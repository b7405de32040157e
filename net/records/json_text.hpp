#pragma once
// Is this a JSON text that Cairn takes? The fast way is simdjson's DOM parser, which looks at every
// byte; what it refuses is looked at again by Boost.JSON's event parser, for the place of the error
// and because simdjson refuses numbers that do not fit 64 bits, which RFC 8259 allows.

#include "storage/base/result.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace cairn::net {

/// Deepest nesting of arrays and objects.
inline constexpr std::size_t k_json_depth_max = 32;

/// Bytes that must be readable behind a text for it to be parsed where it stands.
inline constexpr std::size_t k_json_padding_bytes = 64;

/// Checks one JSON text after the other. Not thread-safe. Between texts it keeps buffers for texts
/// of k_kept_text_bytes at most.
class json_checker {
public:
  static constexpr std::size_t k_kept_text_bytes = std::size_t{128} * 1024;

  json_checker();
  ~json_checker();
  json_checker(const json_checker&) = delete;
  json_checker& operator=(const json_checker&) = delete;

  /// ok when `text` is exactly one RFC 8259 text (white space around it included) in UTF-8, without
  /// byte order mark, at most k_json_depth_max deep, no name twice in an object (after unescaping),
  /// no lone surrogate. invalid_argument says what is wrong and where; the sentence has no subject,
  /// so that the caller can put the name of the input before it. `readable_bytes`: how many bytes
  /// from the start of `text` on may be read, at least its size; with k_json_padding_bytes more
  /// than that no copy is made.
  [[nodiscard]] status check(std::string_view text, std::size_t readable_bytes);

  /// As above for a text with nothing readable behind it.
  [[nodiscard]] status check(std::string_view text) { return check(text, text.size()); }

private:
  struct buffers;
  std::unique_ptr<buffers> buffers_;
};

/// The calling thread's own checker.
[[nodiscard]] json_checker& thread_json_checker();

/// `text` without JSON white space at its end.
[[nodiscard]] std::string_view trim_json_end(std::string_view text);

}  // namespace cairn::net
