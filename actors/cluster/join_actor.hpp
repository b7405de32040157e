#pragma once
// JoinActor: a node that is no member yet asks to become one. It asks whoever answers at the
// addresses it was given, in turn and for ever, until the leader has let the node in or refuses it
// for good. A member may also invite it.

#include "actors/actor_journal.hpp"
#include "actors/cluster/peer_requests.hpp"
#include "actors/messages.hpp"
#include "actors/type_ids.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace cairn::actors {

/// How joining went.
struct joined {
  errc code = errc::none;  ///< anything else: refused for good
  std::string detail;      ///< why, and what the operator can do
  std::string cluster_id;
  std::uint64_t number = 0;
};

struct join_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  peer_hub* hub = nullptr;      ///< likewise
  std::uint64_t parent = 0;
  proto::cluster_member self;          ///< number 0
  std::vector<std::string> addresses;  ///< of members; may be empty
  /// Called once, on a scheduler thread; must not block.
  std::function<void(const joined&)> on_done;
  /// Called with what is waited for, in one sentence, whenever that changes.
  std::function<void(const std::string&)> on_progress;
  std::chrono::milliseconds tick{100};
  /// Short: a node that has just started drops what comes before it is ready for it.
  std::chrono::milliseconds answer_timeout{1'500};
  /// Between two rounds through all that are linked.
  std::chrono::milliseconds pause{1'000};
};

class join_state {
public:
  static constexpr const char* name = "cairn.join";

  join_state(caf::event_based_actor* self, join_actor_config config);
  caf::behavior make_behavior();

private:
  void tick();
  void announce(const std::string& node);
  void answered(const std::string& node, const proto::cluster_answer& answer);
  void asked(const peer_envelope& envelope);
  void progress(const std::string& what);
  void finish(const joined& outcome);
  [[nodiscard]] std::uint64_t now_ns() const { return config_.env->monotonic_ns(); }

  caf::event_based_actor* self_;
  join_actor_config config_;
  actor_journal journal_;
  peer_requests requests_;
  std::set<std::string> linked_;
  std::deque<std::string> to_ask_;  // in this round
  bool asking_ = false;
  std::uint64_t next_round_ns_ = 0;
  std::string progress_;
  bool done_ = false;
};

using join_actor = caf::stateful_actor<join_state>;

}  // namespace cairn::actors
