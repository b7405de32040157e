#pragma once
// What a node's process tells its ring of events: that it has started, serves, does not serve and
// why, ends. The actors tell the rest (docs/events.md).

#include "actors/node_events.hpp"
#include "storage/recovery.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn::apps {

/// Owner: one thread. `events` is not null.
class node_story {
public:
  node_story(actors::node_events_ptr events, std::string node_id, std::string version);

  void started(const storage::recovery_report& recovery, std::uint64_t next_offset);
  void joined(const std::string& cluster_id, std::uint64_t number);
  void serves(const std::string& http, const std::string& peer);
  /// To be called now and then with why the node is not ready; tells when that changes, numbers in
  /// the reasons apart.
  void look(const std::vector<std::string>& unready);
  /// `failure` empty: because it was asked to.
  void ends(const std::optional<std::string>& failure);

private:
  void tell(actors::event_severity severity, std::string text,
            std::vector<std::pair<std::string, std::string>> fields);

  actors::node_events_ptr events_;
  std::string node_id_;
  std::string version_;
  std::optional<std::string> told_;  // the reasons without their digits; empty: ready
};

}  // namespace cairn::apps
