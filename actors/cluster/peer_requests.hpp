#pragma once
// Questions to other nodes and their answers, over peer envelopes. A question that gets no answer
// is answered here, so that nobody waits for ever.

#include "actors/peer_hub.hpp"
#include "proto/cluster_requests.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace cairn::actors {

/// Owner: one actor. Handlers run inside receive(), tick(), link_down() and never inside ask().
class peer_requests {
public:
  /// Gets an answer that says `ok` or why not. When none came: outcome_unknown if it was sent.
  using handler = std::function<void(const proto::cluster_answer&)>;
  using question = decltype(proto::cluster_request::ask);

  /// `hub` outlives it.
  explicit peer_requests(peer_hub& hub) : hub_(&hub) {}

  /// `forwarded`: the receiver must not forward it again.
  void ask(const std::string& node, question what, bool forwarded, std::uint64_t now_ns,
           std::chrono::milliseconds timeout, handler done);

  /// Sends an answer to a question of another node; lost if the link is.
  void answer(const std::string& node, proto::cluster_answer what);

  /// Takes an envelope of kind answer. Late and false ones are ignored.
  void receive(const peer_envelope& envelope);
  /// Ends what waits too long.
  void tick(std::uint64_t now_ns);
  void link_down(const std::string& node);

  [[nodiscard]] std::size_t open_count() const { return open_.size(); }

private:
  struct open_question {
    std::string node;
    std::uint64_t give_up_ns = 0;
    bool sent = true;
    handler done;
  };
  void fail(open_question& asked, std::string detail);

  peer_hub* hub_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, open_question> open_;
};

}  // namespace cairn::actors
