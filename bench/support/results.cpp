#include "bench/support/results.hpp"

#include "storage/base/check.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace cairn::bench {

namespace {

bool met(double value, const target& wanted) {
  return wanted.direction == target::kind::at_least ? value >= wanted.limit : value <= wanted.limit;
}

std::string number(double value) {
  if (value >= 1000) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}", value, value >= 100 ? 1 : value >= 1 ? 2 : 3);
}

}  // namespace

double quantile(std::vector<double> samples, double share) {
  CAIRN_CHECK(!samples.empty() && share >= 0 && share <= 1, "quantile {} of {} samples", share,
              samples.size());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1) + 0.5);
  const auto nth = samples.begin() + static_cast<std::ptrdiff_t>(at);
  std::ranges::nth_element(samples, nth);
  return *nth;
}

void results::add(std::string name, double value, std::string unit, std::optional<target> wanted) {
  progress("  {}: {} {}", name, number(value), unit);
  rows_.push_back({std::move(name), value, std::move(unit), wanted});
}

void results::print(std::FILE* to) const {
  std::size_t width = 0;
  for (const auto& row : rows_)
    width = std::max(width, row.name.size());
  for (const auto& row : rows_) {
    fmt::print(to, "{:<{}}  {:>10} {:<9}", row.name, width, number(row.value), row.unit);
    if (row.wanted) {
      fmt::print(to, "  target {} {}: {}",
                 row.wanted->direction == target::kind::at_least ? ">=" : "<=",
                 number(row.wanted->limit), met(row.value, *row.wanted) ? "met" : "MISSED");
    }
    fmt::print(to, "\n");
  }
}

bool results::write_json(const std::string& path) const {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> to(std::fopen(path.c_str(), "w"),
                                                           &std::fclose);
  if (!to) return false;
  fmt::print(to.get(), "[");
  // Names and units are ours and hold nothing that JSON would want escaped.
  for (const char* comma = ""; const auto& row : rows_) {
    fmt::print(to.get(), "{}\n  {{\"name\": \"{}\", \"value\": {}, \"unit\": \"{}\"",
               std::exchange(comma, ","), row.name, row.value, row.unit);
    if (row.wanted) {
      fmt::print(to.get(), ", \"{}\": {}, \"met\": {}",
                 row.wanted->direction == target::kind::at_least ? "at_least" : "at_most",
                 row.wanted->limit, met(row.value, *row.wanted));
    }
    fmt::print(to.get(), "}}");
  }
  fmt::print(to.get(), "\n]\n");
  return std::ferror(to.get()) == 0;
}

}  // namespace cairn::bench
