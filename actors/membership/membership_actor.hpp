#pragma once
// MembershipActor: asks the other members whether they are there, and tells whoever wants to know.
// A thin adapter around swim::core: envelopes in and out through the peer hub, time, links as
// hints.
//
// Who belongs to the cluster stands in Raft's configuration, which the RaftActor tells
// (raft_changed); gossip only says in which state they are. Nothing here changes the configuration:
// a member that failed stays a member.
//
// Without anything going on it wakes up a few times a second and sends one probe.

#include "actors/actor_journal.hpp"
#include "actors/membership/membership_view.hpp"
#include "actors/messages.hpp"
#include "actors/node_events.hpp"
#include "actors/peer_hub.hpp"
#include "actors/swim/core.hpp"
#include "actors/type_ids.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace cairn::actors {

struct membership_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  peer_hub* hub = nullptr;      ///< likewise
  std::uint64_t parent = 0;
  caf::actor raft;  ///< is watched for the configuration: raft_changed
  /// Hint for the RaftActor: whether a member is linked and alive, told when that changes. All are
  /// taken for reachable at first. Called on this actor's thread; must not block.
  std::function<void(const std::string& node, bool reachable)> on_reachable;
  std::string cluster_id;  ///< envelopes of another cluster are refused
  swim::member_info self;  ///< what this node tells about itself
  std::shared_ptr<membership_view> view;
  swim::config swim;
  node_events_ptr events{};  ///< may be null
  /// Why this node is no member itself (it was removed); empty: it is. Then that nobody answers it
  /// says nothing about the others, and nobody is told to remove them. May be empty.
  std::function<std::string()> outside{};
};

class membership_state {
public:
  static constexpr const char* name = "cairn.membership";

  membership_state(caf::event_based_actor* self, membership_actor_config config);
  caf::behavior make_behavior();

private:
  void receive(const peer_envelope& envelope);
  void link(const link_changed& change);
  void raft_told(const raft_changed& told);
  void refuse(const peer_envelope& envelope, const std::string& why);
  /// After each input: carries out what the core wants.
  void carry_out();
  void tell(const swim::member_changed& change);
  void tell_event(const swim::member_changed& change);
  void tell_event(const link_changed& change);
  void tell_reachable();
  void publish();
  void arm();
  [[nodiscard]] std::uint64_t monotonic_ms() { return config_.env->monotonic_ns() / 1'000'000; }
  [[nodiscard]] std::string state_line() const;
  [[nodiscard]] std::string outside() const { return config_.outside ? config_.outside() : ""; }

  class env_random : public swim::random_source {
  public:
    explicit env_random(storage::env& env) : env_(env) {}
    std::uint64_t next() override { return env_.random_u64(); }

  private:
    storage::env& env_;
  };

  caf::event_based_actor* self_;
  membership_actor_config config_;
  actor_journal journal_;
  env_random random_;
  swim::core core_;
  std::set<std::string> members_;  // of the configuration, without this node
  std::set<std::string> linked_;
  std::map<std::string, unix_ms> since_ms_;
  std::map<std::string, bool> told_reachable_;
  unix_ms started_ms_;
  std::uint64_t published_version_ = 0;
  std::uint64_t alarm_generation_ = 0;
  std::uint64_t alarm_ms_ = 0;  // when the alarm that is set goes off; 0: none
  membership_counters counters_;
};

using membership_actor = caf::stateful_actor<membership_state>;

}  // namespace cairn::actors
