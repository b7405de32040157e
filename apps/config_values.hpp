#pragma once
// How single settings are written: sizes, durations, addresses, names.

#include "apps/node_config.hpp"

#include <string_view>

namespace cairn::apps {

// All fail with invalid_argument and a detail that says what was expected.

/// A whole number, `[least, most]`.
[[nodiscard]] result<std::uint64_t> parse_number(std::string_view text, std::uint64_t least,
                                                 std::uint64_t most);
/// Bytes: a number, with KiB, MiB, GiB or TiB behind it if wanted.
[[nodiscard]] result<std::uint64_t> parse_bytes(std::string_view text, std::uint64_t least,
                                                std::uint64_t most);
/// Milliseconds: a number, with ms, s, m, h or d behind it if wanted.
[[nodiscard]] result<std::uint64_t> parse_milliseconds(std::string_view text);
/// `127.0.0.1:80`, `[::1]:80`. The host is an IP address, not a name.
[[nodiscard]] result<listen_address> parse_address(std::string_view text);
/// True for 0.0.0.0 and [::]: fine to listen on, of no use to others.
[[nodiscard]] bool is_wildcard(const listen_address& address);
/// 1-64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit.
[[nodiscard]] result<std::string> parse_node_id(std::string_view text);
/// true or false.
[[nodiscard]] result<bool> parse_bool(std::string_view text);

}  // namespace cairn::apps
