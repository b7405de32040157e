#pragma once
// Keeps the lines that are logged while it lives, under a clock of its own.

#include "storage/base/log_line.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::testing {

class log_capture {
public:
  log_capture() : kept_(std::make_shared<kept>()), before_(set_log_sink(kept_)) {}
  ~log_capture() {
    set_log_sink(before_);
    for (std::size_t i = 0; i < k_log_components; ++i)
      set_log_level(static_cast<log_component>(i), log_level::info);
  }
  log_capture(const log_capture&) = delete;
  log_capture& operator=(const log_capture&) = delete;

  [[nodiscard]] std::vector<log_record> lines() const {
    const std::lock_guard lock(kept_->mutex);
    return kept_->lines;
  }
  [[nodiscard]] std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (const auto& line : lines())
      out.push_back(line.message);
    return out;
  }
  /// Lines of `component` at `level` whose message contains `part`.
  [[nodiscard]] std::size_t count(log_component component, log_level level,
                                  std::string_view part) const {
    const auto all = lines();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& line) {
      return line.component == component && line.level == level &&
             line.message.find(part) != std::string::npos;
    }));
  }
  void advance(std::int64_t ms) {
    const std::lock_guard lock(kept_->mutex);
    kept_->now_ms += ms;
  }

private:
  struct kept : log_sink {
    void take(const log_record& line) override {
      const std::lock_guard lock(mutex);
      lines.push_back(line);
    }
    std::int64_t monotonic_ms() override {
      const std::lock_guard lock(mutex);
      return now_ms;
    }
    std::mutex mutex;
    std::vector<log_record> lines;  // guarded by mutex
    std::int64_t now_ms = 0;        // guarded by mutex
  };

  std::shared_ptr<kept> kept_;
  std::shared_ptr<log_sink> before_;
};

/// The value of a field; empty: there is none.
inline std::string field_of(const log_record& line, std::string_view key) {
  for (const auto& field : line.fields) {
    if (field.key == key) return field.value;
  }
  return {};
}

}  // namespace cairn::testing
