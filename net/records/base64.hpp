#pragma once
// Base64 of RFC 4648 section 4, strict: padding is required and unused bits are zero, so that every
// byte string has exactly one spelling.

#include "storage/base/bytes.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace cairn::net {

/// Appends the text of `bytes`.
void append_base64(std::string& out, byte_span bytes);

/// Appends the bytes of `text` to `out`. False when it is not canonical base64 (a character outside
/// the alphabet, also white space; wrong padding; unused bits); `out` is as before then.
[[nodiscard]] bool decode_base64(std::string_view text, std::string& out);

/// Bytes that `text` stands for if it is base64.
[[nodiscard]] std::size_t base64_decoded_bytes(std::string_view text);

}  // namespace cairn::net
