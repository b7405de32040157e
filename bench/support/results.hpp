#pragma once
// What every benchmark here needs: a clock, medians, a table on stdout, JSON in a file.

#include "storage/base/result.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::bench {

class stopwatch {
public:
  void restart() { start_ = clock::now(); }
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(clock::now() - start_).count();
  }
  [[nodiscard]] double micros() const { return seconds() * 1e6; }

private:
  using clock = std::chrono::steady_clock;
  clock::time_point start_ = clock::now();
};

/// The value at `share` (0..1) of the sorted samples. @pre samples is not empty.
[[nodiscard]] double quantile(std::vector<double> samples, double share);
[[nodiscard]] inline double median(std::vector<double> samples) {
  return quantile(std::move(samples), 0.5);
}

/// A limit that the project has set itself. Reported, never asserted: the machine may be busy.
struct target {
  enum class kind : std::uint8_t { at_least, at_most };
  kind direction;
  double limit;
};
[[nodiscard]] inline target at_least(double limit) {
  return {target::kind::at_least, limit};
}
[[nodiscard]] inline target at_most(double limit) {
  return {target::kind::at_most, limit};
}

/// Collects figures in the order they come.
class results {
public:
  void add(std::string name, double value, std::string unit,
           std::optional<target> wanted = std::nullopt);

  /// A table with one figure a line.
  void print(std::FILE* to) const;
  /// An array of objects. Returns false when the file cannot be written.
  [[nodiscard]] bool write_json(const std::string& path) const;

private:
  struct figure {
    std::string name;
    double value;
    std::string unit;
    std::optional<target> wanted;
  };
  std::vector<figure> rows_;
};

/// One line on stderr, at once.
template <class... Args>
void progress(fmt::format_string<Args...> text, Args&&... args) {
  fmt::print(stderr, "{}\n", fmt::format(text, std::forward<Args>(args)...));
}

[[noreturn]] inline void die(std::string_view what) {
  fmt::print(stderr, "error: {}\n", what);
  std::exit(1);
}

/// The value, or the end of the program with the error's own words.
template <class T>
T must(result<T> got) {
  if (!got) die(got.error().detail);
  return std::move(*got);
}
inline void must(const status& done) {
  if (!done) die(done.error().detail);
}

}  // namespace cairn::bench
