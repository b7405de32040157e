#include "actors/cluster/peer_requests.hpp"

#include <fmt/format.h>
#include <vector>

namespace cairn::actors {

void peer_requests::ask(const std::string& node, question what, bool forwarded,
                        std::uint64_t now_ns, std::chrono::milliseconds timeout, handler done) {
  const auto id = ++last_id_;
  const proto::cluster_request request{.id = id,
                                       .forwarded = forwarded,
                                       .deadline_ms = static_cast<std::uint32_t>(timeout.count()),
                                       .ask = std::move(what)};
  const bool sent = hub_->send(node, peer_lane::control,
                               {.cluster_id = {},
                                .sender = {},
                                .log = {},
                                .kind = peer_kind::request,
                                .head = proto::encode(request),
                                .body = {}});
  const auto timeout_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(timeout).count());
  // What could not be sent is told with the next tick.
  open_.emplace(id, open_question{.node = node,
                                  .give_up_ns = sent ? now_ns + timeout_ns : now_ns,
                                  .sent = sent,
                                  .done = std::move(done)});
}

void peer_requests::answer(const std::string& node, proto::cluster_answer what) {
  (void)hub_->send(node, peer_lane::control,
                   {.cluster_id = {},
                    .sender = {},
                    .log = {},
                    .kind = peer_kind::answer,
                    .head = proto::encode(what),
                    .body = {}});
}

void peer_requests::receive(const peer_envelope& envelope) {
  auto decoded = proto::decode_cluster_answer(envelope.head.span());
  if (!decoded) return;  // its question runs out of time
  const auto found = open_.find(decoded->id);
  if (found == open_.end() || found->second.node != envelope.sender) return;
  const auto asked = std::move(found->second);
  open_.erase(found);
  asked.done(*decoded);
}

void peer_requests::fail(open_question& asked, std::string detail) {
  proto::cluster_answer none;
  none.code = asked.sent ? errc::outcome_unknown : errc::unavailable;
  none.detail = std::move(detail);
  asked.done(none);
}

void peer_requests::tick(std::uint64_t now_ns) {
  std::vector<open_question> ended;
  for (auto at = open_.begin(); at != open_.end();) {
    if (at->second.give_up_ns > now_ns) {
      ++at;
      continue;
    }
    ended.push_back(std::move(at->second));
    at = open_.erase(at);
  }
  for (auto& asked : ended) {
    fail(asked, asked.sent ? fmt::format("node {} did not answer in time", asked.node)
                           : fmt::format("there is no link to node {}", asked.node));
  }
}

void peer_requests::link_down(const std::string& node) {
  std::vector<open_question> ended;
  for (auto at = open_.begin(); at != open_.end();) {
    if (at->second.node != node) {
      ++at;
      continue;
    }
    ended.push_back(std::move(at->second));
    at = open_.erase(at);
  }
  for (auto& asked : ended)
    fail(asked, fmt::format("the link to node {} was lost", node));
}

}  // namespace cairn::actors
