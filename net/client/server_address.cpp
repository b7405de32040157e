#include "net/client/http_client.hpp"

#include <charconv>
#include <fmt/format.h>

namespace cairn::net {

namespace {

error bad_server(std::string_view text, std::string_view why) {
  return {errc::invalid_argument,
          fmt::format("server \"{}\": {}; expected http://HOST:PORT", text, why)};
}

result<std::uint16_t> parse_port(std::string_view text, std::string_view whole) {
  unsigned port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535) {
    return bad_server(whole, fmt::format("\"{}\" is no port", text));
  }
  return static_cast<std::uint16_t>(port);
}

bool is_host_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '-' || c == '_';
}

bool is_address_character(char c) {
  return is_host_character(c) || c == ':' || c == '%';
}

result<server_address> parse_server(std::string_view text) {
  auto rest = text;
  if (rest.starts_with("https://")) return bad_server(text, "https is not supported yet");
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  server_address server;
  const bool is_ipv6 = rest.starts_with('[');
  const auto host_end = is_ipv6 ? rest.find(']') : rest.find(':');
  if (is_ipv6 && host_end == std::string_view::npos) return bad_server(text, "] is missing");
  server.host = rest.substr(is_ipv6 ? 1 : 0, host_end - (is_ipv6 ? 1 : 0));
  for (const char c : server.host) {
    if (!(is_ipv6 ? is_address_character(c) : is_host_character(c))) {
      return bad_server(text, "that is no host");
    }
  }
  if (server.host.empty()) return bad_server(text, "the host is missing");
  rest = host_end == std::string_view::npos ? "" : rest.substr(host_end + (is_ipv6 ? 1 : 0));
  if (rest.empty()) return server;
  if (!rest.starts_with(':')) return bad_server(text, "unexpected text behind the host");
  auto port = parse_port(rest.substr(1), text);
  if (!port) return port.error();
  server.port = *port;
  return server;
}

}  // namespace

std::string server_address::authority() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

result<std::vector<server_address>> parse_servers(std::string_view list) {
  std::vector<server_address> servers;
  while (true) {
    const auto comma = list.find(',');
    auto server = parse_server(list.substr(0, comma));
    if (!server) return server.error();
    servers.push_back(*std::move(server));
    if (comma == std::string_view::npos) return servers;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace cairn::net
