#include "apps/node_story.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn::apps {

using actors::event_kind;
using actors::event_severity;

node_story::node_story(actors::node_events_ptr events, std::string node_id, std::string version)
    : events_(std::move(events)), node_id_(std::move(node_id)), version_(std::move(version)) {}

void node_story::tell(event_severity severity, std::string text,
                      std::vector<std::pair<std::string, std::string>> fields) {
  fields.emplace_back("node", node_id_);
  events_->add(event_kind::node, severity, "node " + node_id_, std::move(text), std::move(fields));
}

void node_story::started(const storage::recovery_report& recovery, std::uint64_t next_offset) {
  for (const auto& warning : recovery.warnings) {
    events_->add(event_kind::fault, event_severity::warning, "node " + node_id_,
                 "recovery: " + warning, {{"node", node_id_}});
  }
  auto text = fmt::format("{} has started (version {}) with a log up to offset {}", node_id_,
                          version_, next_offset);
  if (!recovery.clean) {
    text += fmt::format(
        "; it had not been ended gracefully: {} bytes were scanned, {} bytes of an unacknowledged "
        "write cut off",
        recovery.scanned_bytes, recovery.torn_bytes);
  }
  tell(recovery.clean ? event_severity::info : event_severity::warning, std::move(text),
       {{"state", "started"},
        {"version", version_},
        {"clean", recovery.clean ? "true" : "false"},
        {"next_offset", fmt::format("{}", next_offset)}});
}

void node_story::joined(const std::string& cluster_id, std::uint64_t number) {
  tell(event_severity::info, fmt::format("{} has joined cluster {}", node_id_, cluster_id),
       {{"state", "joined"}, {"cluster_id", cluster_id}, {"number", fmt::format("{}", number)}});
}

void node_story::serves(const std::string& http, const std::string& peer) {
  tell(event_severity::info,
       fmt::format("{} listens for clients at {} and for other nodes at {}", node_id_, http, peer),
       {{"state", "listening"}, {"http", http}, {"peer", peer}});
}

void node_story::look(const std::vector<std::string>& unready) {
  const auto reasons = fmt::format("{}", fmt::join(unready, "; "));
  auto known = reasons;
  std::erase_if(known, [](char c) { return c >= '0' && c <= '9'; });
  if (told_ == known) return;
  told_ = std::move(known);
  if (unready.empty()) {
    return tell(event_severity::info, node_id_ + " is ready", {{"state", "ready"}});
  }
  tell(event_severity::warning, fmt::format("{} is not ready: {}", node_id_, reasons),
       {{"state", "not ready"}, {"reason", reasons}});
}

void node_story::ends(const std::optional<std::string>& failure) {
  if (failure) {
    return tell(event_severity::error,
                fmt::format("{} ends because of a failure: {}", node_id_, *failure),
                {{"state", "ending"}, {"reason", *failure}});
  }
  tell(event_severity::info, node_id_ + " ends as it was asked to", {{"state", "ending"}});
}

}  // namespace cairn::apps
