#include "apps/config_values.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <limits>

namespace cairn::apps {

namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array k_byte_units{unit{"", 1}, unit{"KiB", k_kib_bytes}, unit{"MiB", k_mib_bytes},
                                  unit{"GiB", k_gib_bytes}, unit{"TiB", 1024 * k_gib_bytes}};
constexpr std::array k_time_units{unit{"", 1},       unit{"ms", 1},        unit{"s", 1'000},
                                  unit{"m", 60'000}, unit{"h", 3'600'000}, unit{"d", 86'400'000}};

error bad(std::string detail) {
  return {errc::invalid_argument, std::move(detail)};
}

/// `<digits><unit>`; nothing if it is not that or does not fit.
template <class Units>
std::optional<std::uint64_t> with_unit(std::string_view text, const Units& units) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{}) return std::nullopt;
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& unit : units) {
    if (unit.name != suffix) continue;
    if (number > std::numeric_limits<std::uint64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

bool is_ip(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

std::string to_text(const listen_address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address.host, v6 ? "]" : "", address.port);
}

result<std::uint64_t> parse_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto* last = text.data() + text.size();
  const auto [end, failure] = std::from_chars(text.data(), last, number);
  if (failure != std::errc{} || end != last || number < least || number > most) {
    return bad(fmt::format("'{}' is not a number from {} to {}", text, least, most));
  }
  return number;
}

result<std::uint64_t> parse_bytes(std::string_view text, std::uint64_t least, std::uint64_t most) {
  const auto bytes = with_unit(text, k_byte_units);
  if (!bytes || *bytes < least || *bytes > most) {
    return bad(fmt::format(
        "'{}' is not a size from {} to {} bytes (a number, if wanted with KiB, MiB, GiB or TiB)",
        text, least, most));
  }
  return *bytes;
}

result<std::uint64_t> parse_milliseconds(std::string_view text) {
  const auto ms = with_unit(text, k_time_units);
  constexpr std::uint64_t k_longest_ms = 100ULL * 366 * 86'400'000;
  if (!ms || *ms > k_longest_ms) {
    return bad(fmt::format(
        "'{}' is not a duration (a number of milliseconds, or one with ms, s, m, h or d)", text));
  }
  return *ms;
}

result<listen_address> parse_address(std::string_view text) {
  const auto complain = [&] {
    return bad(fmt::format("'{}' is not ADDRESS:PORT with an IP address", text));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return complain();
  listen_address address;
  address.host = text.substr(0, colon);
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    return complain();
  }
  const auto port = parse_number(text.substr(colon + 1), 0, 65'535);
  if (!port || !is_ip(address.host)) return complain();
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

bool is_wildcard(const listen_address& address) {
  in_addr v4{};
  if (inet_pton(AF_INET, address.host.c_str(), &v4) == 1) return v4.s_addr == 0;
  in6_addr v6{};
  return inet_pton(AF_INET6, address.host.c_str(), &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

result<std::string> parse_node_id(std::string_view text) {
  const auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool good = !text.empty() && text.size() <= 64 && letter_or_digit(text.front()) &&
                    std::all_of(text.begin(), text.end(), [&](char c) {
                      return letter_or_digit(c) || c == '.' || c == '_' || c == '-';
                    });
  if (!good) {
    return bad(
        fmt::format("'{}' is not a name of 1 to 64 letters, digits, '.', '_' or '-' that "
                    "begins with a letter or digit",
                    text));
  }
  return std::string(text);
}

result<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return bad(fmt::format("'{}' is neither true nor false", text));
}

}  // namespace cairn::apps
