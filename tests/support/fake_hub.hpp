#pragma once
// Peer hubs that are connected in memory: for tests of actors that talk to other nodes.

#include "actors/peer_hub.hpp"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cairn::testing {

class fake_hub;

/// Connects the hubs of several nodes. send() puts the envelope into the receiver's mailbox before
/// it returns, so with CAF's test coordinator everything is deterministic; no thread, no clock.
///
/// There is a link between two nodes while one of them wants it (connect(), or link_all()) and
/// nothing cuts it. The hubs and the network may be destroyed in any order. All functions are
/// thread-safe.
class fake_network {
public:
  fake_network();

  /// The hub of `node`, made at the first call; its address is "<node>:1".
  fake_hub& hub(const std::string& node);
  /// Links every pair of nodes, also of those that come later.
  void link_all();
  /// Ends a node: its links go down, its receivers and watchers are let go. hub() then makes a new
  /// one.
  void stop(const std::string& node);

  /// Takes the link down, and keeps it down until heal(). What is held between the two is lost.
  void cut(const std::string& a, const std::string& b);
  /// Takes all of a node's links down, also those of nodes that come later.
  void isolate(const std::string& node);
  /// Undoes cut(), one_way(), hold() between the two.
  void heal(const std::string& a, const std::string& b);
  /// Undoes every cut, isolation, one_way and hold.
  void heal();

  /// What `from` sends to `to` is lost from now on; send() says true, the link stays up.
  void one_way(const std::string& from, const std::string& to);
  /// Loses the next `count` envelopes from `from` to `to`.
  void drop(const std::string& from, const std::string& to, std::size_t count);
  /// Keeps what `from` sends to `to` until release(). Bulk only: keeps only that lane.
  void hold(const std::string& from, const std::string& to,
            std::optional<actors::peer_lane> lane = std::nullopt);
  /// Delivers what is held, in order, or only the first `count`, and goes on holding if
  /// `keep_holding`.
  std::size_t release(const std::string& from, const std::string& to, std::size_t count = SIZE_MAX,
                      bool keep_holding = false);
  /// send() from `from` to `to` says false, as for a peer that does not read; or only on `lane`.
  void no_room(const std::string& from, const std::string& to, bool on = true,
               std::optional<actors::peer_lane> lane = std::nullopt);

  /// A line per envelope that was delivered: "n1>n2 control raft default", for tests that compare
  /// runs.
  [[nodiscard]] std::vector<std::string> delivered() const;

private:
  friend class fake_hub;
  struct state;
  std::shared_ptr<state> state_;
  std::map<std::string, std::unique_ptr<fake_hub>> hubs_;
};

class fake_hub : public actors::peer_hub {
public:
  bool send(const std::string& node, actors::peer_lane lane,
            actors::peer_envelope envelope) override;
  void route(actors::peer_kind kind, const std::string& log, caf::actor receiver) override;
  void watch(caf::actor who) override;
  void connect(const std::string& node, const std::string& address) override;
  void forget(const std::string& node) override;

  /// What this node has joined; filled into envelopes that name no cluster. "c" at first.
  void set_cluster_id(const std::string& id);
  [[nodiscard]] const std::string& node() const { return node_; }
  [[nodiscard]] bool linked(const std::string& node) const;
  /// Envelopes that came for nobody.
  [[nodiscard]] std::size_t unrouted() const;

private:
  friend class fake_network;
  fake_hub(std::shared_ptr<fake_network::state> network, std::string node)
      : network_(std::move(network)), node_(std::move(node)) {}

  std::shared_ptr<fake_network::state> network_;
  std::string node_;
};

}  // namespace cairn::testing
