#include "apps/console/observer.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::console {

std::vector<std::string> default_addresses() {
  return {"127.0.0.1:7080", "127.0.0.1:7081", "127.0.0.1:7082", "127.0.0.1:7083"};
}

result<std::vector<std::string>> parse_addresses(std::string_view list) {
  std::vector<std::string> out;
  for (;;) {
    const auto comma = list.find(',');
    const auto one = list.substr(0, comma);
    const auto colon = one.rfind(':');
    const auto port = colon == std::string_view::npos ? "" : one.substr(colon + 1);
    const bool digits =
        !port.empty() && port.size() <= 5 &&
        std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    const int number = digits ? std::stoi(std::string(port)) : 0;
    if (one.find("//") != std::string_view::npos) {
      return error{errc::invalid_argument,
                   fmt::format("'{}' is a URL; a peer address is HOST:PORT, without http://", one)};
    }
    if (colon == 0 || number < 1 || number > 65'535) {
      return error{errc::invalid_argument,
                   fmt::format("'{}' is no peer address: HOST:PORT is one, with commas between "
                               "several",
                               one)};
    }
    out.emplace_back(one);
    if (comma == std::string_view::npos) return out;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace cairn::console
