#include "net/http/accept.hpp"

#include "net/http/request.hpp"

#include <algorithm>
#include <array>

namespace cairn::net {

namespace {

constexpr std::size_t k_offers_max = 8;
constexpr std::size_t k_ranges_max = 64;  // browsers send about eight

/// Thousandths of a qvalue such as "0.8", or nothing if it is none.
std::optional<int> parse_quality(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int value = (text[0] - '0') * 1000;
  if (text.size() == 1) return value;
  if (text[1] != '.') return std::nullopt;
  int weight = 100;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return std::nullopt;
    value += (c - '0') * weight;
    weight /= 10;
  }
  return value <= 1000 ? std::optional(value) : std::nullopt;
}

/// Removes and returns what stands before the next `separator`.
std::string_view next_part(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(part);
}

/// 3 for the type itself, 2 for `type/*`, 1 for `*/*`, 0 for no match.
int specificity(std::string_view range, std::string_view offer) {
  if (range == "*/*") return 1;
  if (iequals(range, offer)) return 3;
  const auto slash = offer.find('/');
  if (range.ends_with("/*") &&
      iequals(range.substr(0, range.size() - 1), offer.substr(0, slash + 1))) {
    return 2;
  }
  return 0;
}

}  // namespace

std::optional<std::size_t> negotiate(std::string_view accept,
                                     std::span<const std::string_view> offers) {
  if (accept.empty() || accept == "*/*") return 0;
  struct mark {
    int specificity = 0;
    int quality = 0;
  };
  std::array<mark, k_offers_max> marks{};
  const std::size_t count = std::min(offers.size(), k_offers_max);
  for (std::size_t ranges = 0; !accept.empty() && ranges < k_ranges_max; ++ranges) {
    std::string_view item = next_part(accept, ',');
    const std::string_view range = next_part(item, ';');
    std::optional<int> quality = 1000;
    while (!item.empty()) {
      const std::string_view parameter = next_part(item, ';');
      if (parameter.starts_with("q=") || parameter.starts_with("Q=")) {
        quality = parse_quality(parameter.substr(2));
      }
    }
    if (!quality) continue;
    for (std::size_t i = 0; i < count; ++i) {
      const int how = specificity(range, offers[i]);
      if (how > marks[i].specificity) marks[i] = {how, *quality};
    }
  }
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < count; ++i) {
    if (marks[i].quality > 0 && (!best || marks[i].quality > marks[*best].quality)) best = i;
  }
  return best;
}

}  // namespace cairn::net
