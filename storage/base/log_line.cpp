#include "storage/base/log_line.hpp"

#include "storage/base/check.hpp"
#include "storage/base/repeat_limiter.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>

namespace cairn {

namespace {

constexpr std::array<std::string_view, k_log_components> k_component_names{
    "node", "raft", "log", "storage", "membership", "cluster", "peer", "gateway", "inspect"};
constexpr std::array<std::string_view, k_log_levels> k_level_names{
    "trace", "debug", "info", "warning", "error", "critical", "off"};

template <class Enum, std::size_t N>
std::optional<Enum> named(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

/// What all threads share.
struct log_state {
  log_state() {
    for (auto& level : levels)
      level = log_level::info;
  }

  std::array<std::atomic<log_level>, k_log_components> levels;
  std::atomic<bool> has_sink{false};
  std::atomic<std::uint64_t> held_back{0};
  std::mutex mutex;
  std::shared_ptr<log_sink> sink;      // guarded by mutex
  repeat_limiter<log_record> repeats;  // guarded by mutex

  [[nodiscard]] std::shared_ptr<log_sink> current() {
    const std::lock_guard lock(mutex);
    return sink;
  }
};

log_state& state() {
  // Never destroyed: threads may log until the very end of the process.
  static auto* const shared = new log_state;
  return *shared;
}

/// Cut where a character begins, so that UTF-8 stays UTF-8.
void cut(std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return;
  constexpr std::string_view k_more = "...";
  auto end = bytes_max - k_more.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
    --end;
  text.resize(end);
  text += k_more;
}

std::uint64_t place_of(const std::source_location& here, std::uint64_t which) {
  // FNV-1a: the same place has the same number, whatever the address of its file's name.
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3U; };
  for (const char c : std::string_view(here.file_name()))
    mix(static_cast<unsigned char>(c));
  mix(here.line());
  mix(here.column());
  mix(which);
  return hash == 0 ? 1 : hash;
}

std::string with_count(std::string text, std::uint64_t held) {
  return fmt::format("{} ({} more like it in the last {} s)", text, held,
                     repeat_limiter<log_record>::k_interval_ms / 1'000);
}

}  // namespace

std::string_view to_string(log_component component) {
  return k_component_names.at(static_cast<std::size_t>(component));
}
std::optional<log_component> log_component_of(std::string_view name) {
  return named<log_component>(k_component_names, name);
}
std::string_view to_string(log_level level) {
  return k_level_names.at(static_cast<std::size_t>(level));
}
std::optional<log_level> log_level_of(std::string_view name) {
  return named<log_level>(k_level_names, name);
}

std::shared_ptr<log_sink> set_log_sink(std::shared_ptr<log_sink> sink) {
  auto& all = state();
  const std::lock_guard lock(all.mutex);
  all.repeats = repeat_limiter<log_record>();
  all.has_sink.store(sink != nullptr, std::memory_order_relaxed);
  std::swap(all.sink, sink);
  return sink;
}

void set_log_level(log_component component, log_level level) {
  state().levels.at(static_cast<std::size_t>(component)).store(level, std::memory_order_relaxed);
}
log_level log_level_of(log_component component) {
  return state().levels.at(static_cast<std::size_t>(component)).load(std::memory_order_relaxed);
}
bool log_enabled(log_component component, log_level level) {
  return level >= log_level_of(component) && level != log_level::off &&
         state().has_sink.load(std::memory_order_relaxed);
}

void tell_log_repeats() {
  auto& all = state();
  const auto sink = all.current();
  if (!sink) return;
  const auto now_ms = sink->monotonic_ms();
  std::vector<repeat_limiter<log_record>::held> due;
  {
    const std::lock_guard lock(all.mutex);
    due = all.repeats.due(now_ms);
  }
  for (auto& held : due) {
    held.last_passed.message = with_count(std::move(held.last_passed.message), held.count);
    sink->take(held.last_passed);
  }
}

std::uint64_t log_lines_held_back() {
  return state().held_back.load(std::memory_order_relaxed);
}

log_line&& log_line::sparsely(std::uint64_t which, const std::source_location& here) && {
  if (!on_) return std::move(*this);
  auto& all = state();
  const std::lock_guard lock(all.mutex);
  if (!all.sink) return std::move(*this);
  place_ = place_of(here, which);
  const auto said = all.repeats.ask(place_, all.sink->monotonic_ms());
  held_before_ = said.held_before;
  if (!said.pass) {
    all.held_back.fetch_add(1, std::memory_order_relaxed);
    on_ = false;
  }
  return std::move(*this);
}

void log_line::add(std::string_view key, std::string value, bool bare) {
  if (value.empty() || line_.fields.size() >= k_log_fields_max) return;
  cut(value, k_log_value_bytes_max);
  line_.fields.push_back({key, std::move(value), bare});
}

void log_line::finish(std::string message) {
  cut(message, k_log_message_bytes_max);
  line_.message = std::move(message);
  auto& all = state();
  std::shared_ptr<log_sink> sink;
  {
    const std::lock_guard lock(all.mutex);
    sink = all.sink;
    if (place_ != 0) {
      auto kept = line_;
      cut(kept.message, k_log_value_bytes_max);
      all.repeats.passed(place_, std::move(kept));
    }
  }
  if (held_before_ > 0) line_.message = with_count(std::move(line_.message), held_before_);
  if (sink) sink->take(line_);
}

}  // namespace cairn
