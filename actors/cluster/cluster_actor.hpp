#pragma once
// ClusterActor: the life of a member among the others.
//
// - keeps the hub's links in step with the configuration;
// - announces this node to the leader after a start, so that its addresses are known, and whenever
//   there has been no leader for long, so that a node that was removed meanwhile learns of it;
// - on the leader, carries out what clients and other nodes ask for, one change at a time, and
//   makes voters of learners that have caught up; elsewhere forwards it to the leader.
//
// Nothing here decides by itself that a member goes: a node that is silent stays a member.

#include "actors/actor_journal.hpp"
#include "actors/cluster/cluster_view.hpp"
#include "actors/cluster/peer_requests.hpp"
#include "actors/cluster/roster.hpp"
#include "actors/messages.hpp"
#include "actors/type_ids.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/stateful_actor.hpp>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cairn::actors {

struct cluster_actor_config {
  storage::env* env = nullptr;  ///< outlives the actor
  peer_hub* hub = nullptr;      ///< likewise
  std::uint64_t parent = 0;
  caf::actor raft;
  std::string cluster_id;
  std::string log;                 ///< whose group it is
  proto::cluster_member self;      ///< with its number and the addresses it has now
  std::vector<std::string> hints;  ///< addresses to try when there is no leader for long
  std::shared_ptr<cluster_view> view;
  /// Called once, when the leader knows this node and its log has begun; must not block. May be
  /// empty.
  std::function<void()> on_member;
  std::chrono::milliseconds tick{200};
  std::chrono::milliseconds answer_timeout{2'000};
  /// Without a leader for so long, it is time to ask around.
  std::chrono::milliseconds leaderless{3'000};
};

class cluster_state {
public:
  static constexpr const char* name = "cairn.cluster";

  cluster_state(caf::event_based_actor* self, cluster_actor_config config);
  caf::behavior make_behavior();

private:
  struct promotion_request {
    raft::node_id number;
  };
  /// Something that only a leader can do.
  struct operation {
    std::variant<proto::announce_request, proto::remove_request, proto::transfer_request,
                 promotion_request>
        what;
    bool forwarded = false;  // by another member: answered at once unless we lead
    std::uint64_t deadline_ns = 0;
    bool maybe_done = false;    // an earlier try may have succeeded
    std::string last_reason{};  // why it is not done yet
    std::function<void(const proto::cluster_answer&)> answer{};  // empty: answered, or nobody asked
  };
  /// A client's wish to let in the node that waits at an address.
  struct invitation {
    std::string node;
    std::string peer;
    std::uint64_t deadline_ns = 0;
    bool invited = false;
    std::string last_reason;
    caf::response_promise promise;
  };

  // cluster_actor.cpp
  void tick();
  void raft_told(const raft_changed& told);
  void update_links();
  void use_hints(bool use);
  void link(const link_changed& change);
  void announce();
  void announced(const proto::cluster_answer& answer);
  void tell_member();
  void set_removed(const std::string& why);
  void asked(const peer_envelope& envelope);
  void take(const std::string& sender, const proto::cluster_request& request);
  caf::result<cluster_change_done> change(const change_cluster& wish);
  void add(const change_cluster& wish, caf::response_promise promise);
  void tick_invitations();
  void stop_dialling(const std::string& address);
  void publish();
  [[nodiscard]] cluster_report report() const;
  [[nodiscard]] std::string name_of(raft::node_id number) const;
  [[nodiscard]] std::string leader_name() const { return name_of(lead_.leader); }
  [[nodiscard]] bool leads() const { return lead_.as == raft::role::leader; }
  [[nodiscard]] std::uint64_t now_ns() const { return config_.env->monotonic_ns(); }

  // cluster_changes.cpp: operations
  void submit(operation op);
  void run_waiting();
  void forward(operation op);
  void execute();
  void execute_on(const raft_report& group);
  void admit_node(const raft_report& group, const proto::announce_request& ask);
  void remove_node(const raft_report& group, const proto::remove_request& ask);
  void move_lead(const raft_report& group, const proto::transfer_request& ask);
  void promote(const raft_report& group, const promotion_request& ask);
  void propose(roster_change change, std::function<void()> done);
  void hand_over(const raft_report& group, raft::node_id target, std::function<void()> done);
  void failed(errc code, const std::string& detail);
  void retry_later(const std::string& reason);
  void complete(proto::cluster_answer answer);
  void complete_ok(std::uint64_t number = 0);
  void promote_learners();
  void sweep_operations();
  [[nodiscard]] static proto::cluster_answer refusal(errc code, std::string detail, bool final);
  [[nodiscard]] static raft::node_id best_heir(const raft_report& group);

  caf::event_based_actor* self_;
  cluster_actor_config config_;
  actor_journal journal_;
  peer_requests requests_;

  // What the RaftActor has told last.
  raft::leadership lead_;
  std::shared_ptr<const raft::configuration> members_;
  proto::cluster_context context_;         // of members_; empty before the first entry has come
  std::uint64_t leaderless_since_ns_ = 0;  // 0: there is a leader

  std::map<std::string, std::string> connected_;  // node -> address that the hub was given
  std::map<std::string, std::string> linked_;     // node -> address of the other end
  bool hints_used_ = false;

  bool announced_ = false;
  bool told_member_ = false;
  bool announcing_ = false;
  std::uint64_t next_announce_ns_ = 0;
  std::string last_asked_;  // while there is no leader
  std::string removed_;     // why; empty: it is a member

  std::list<operation> waiting_;      // for a leader, or for their turn
  std::optional<operation> running_;  // here, by us as the leader
  bool retry_ = false;                // running_ is to be tried again with the next tick
  std::list<invitation> invitations_;
};

using cluster_actor = caf::stateful_actor<cluster_state>;

}  // namespace cairn::actors
