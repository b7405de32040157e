#include "actors/node_events.hpp"

#include <algorithm>

namespace cairn::actors {

namespace {

void cut(std::string& text, std::size_t& room) {
  if (text.size() > room) text.resize(room);
  room -= text.size();
}

}  // namespace

std::string_view to_string(event_kind kind) {
  switch (kind) {
    case event_kind::node:
      return "node";
    case event_kind::election:
      return "election";
    case event_kind::leader:
      return "leader";
    case event_kind::membership:
      return "membership";
    case event_kind::reachability:
      return "reachability";
    case event_kind::link:
      return "link";
    case event_kind::segment:
      return "segment";
    case event_kind::backpressure:
      return "backpressure";
    case event_kind::disk:
      return "disk";
    case event_kind::fault:
      return "fault";
    case event_kind::recorder:
      return "recorder";
  }
  return "unknown";
}

std::string_view to_string(event_severity severity) {
  switch (severity) {
    case event_severity::info:
      return "info";
    case event_severity::warning:
      return "warning";
    case event_severity::error:
      return "error";
  }
  return "unknown";
}

node_events::node_events(storage::env& clock, std::uint64_t boot, std::size_t events_max)
    : clock_(&clock), boot_(boot), events_max_(std::max<std::size_t>(events_max, 1)) {}

void node_events::add(event_kind kind, event_severity severity, std::string source,
                      std::string text, std::vector<std::pair<std::string, std::string>> fields) {
  std::size_t room = k_event_bytes_max;
  cut(source, room);
  cut(text, room);
  for (auto& [name, value] : fields) {
    cut(name, room);
    cut(value, room);
  }
  std::erase_if(fields, [](const auto& field) { return field.first.empty(); });
  node_event event{.time_ms = clock_->now_ms(),
                   .kind = kind,
                   .severity = severity,
                   .source = std::move(source),
                   .text = std::move(text),
                   .fields = std::move(fields)};
  {
    const std::lock_guard lock(mutex_);
    if (events_.size() == events_max_) make_room();
    event.id = ++last_id_;
    ++by_kind_[kind];
    ++counts_[{kind, severity}];
    events_.push_back(std::move(event));
  }
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& [id, wake] : listeners_)
    wake();
}

node_events::page node_events::after(std::uint64_t after, std::size_t limit) const {
  page out;
  const std::lock_guard lock(mutex_);
  out.next = after;
  if (after >= last_id_) return out;
  const auto begin =
      std::upper_bound(events_.begin(), events_.end(), after,
                       [](std::uint64_t id, const node_event& event) { return id < event.id; });
  const auto there = static_cast<std::size_t>(events_.end() - begin);
  const auto count = std::min(limit, there);
  out.events.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  if (!out.events.empty()) out.next = out.events.back().id;
  out.lost = out.next - after - count;
  return out;
}

/// @pre mutex_ is held
void node_events::make_room() {
  const auto most =
      std::max_element(by_kind_.begin(), by_kind_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto oldest =
      std::find_if(events_.begin(), events_.end(),
                   [kind = most->first](const node_event& event) { return event.kind == kind; });
  --most->second;
  events_.erase(oldest);
}

std::uint64_t node_events::last_id() const {
  const std::lock_guard lock(mutex_);
  return last_id_;
}

std::uint64_t node_events::count(event_kind kind, event_severity severity) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find({kind, severity});
  return found == counts_.end() ? 0 : found->second;
}

std::uint64_t node_events::listen(std::function<void()> wake) {
  const std::lock_guard lock(listeners_mutex_);
  if (listeners_.size() >= k_listeners_max) return 0;
  const auto id = ++last_listener_;
  listeners_.emplace(id, std::move(wake));
  return id;
}

void node_events::unlisten(std::uint64_t listener) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.erase(listener);
}

}  // namespace cairn::actors
