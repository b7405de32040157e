#include "apps/actor_backend.hpp"

#include "apps/actor_port.hpp"

#include <fmt/format.h>

namespace cairn::apps {

namespace {

std::string name_of(swim::member_state state) {
  switch (state) {
    case swim::member_state::alive:
      return "alive";
    case swim::member_state::suspect:
      return "suspect";
    case swim::member_state::failed:
      return "failed";
    case swim::member_state::left:
      return "left";
  }
  return "failed";
}

}  // namespace

actor_backend::actor_backend(node_actors& actors, node_facts facts)
    : actors_(actors), facts_(std::move(facts)) {}

std::unique_ptr<net::backend_port> actor_backend::open_port(std::function<void()> wake) {
  std::uint32_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = ports_++;
  }
  return std::make_unique<actor_port>(*this, fmt::format("gateway-{}", number), std::move(wake));
}

const std::string& actor_backend::node_id() const {
  return actors_.config().node_id;
}

std::vector<std::string> actor_backend::unready_reasons() const {
  auto reasons = actors_.gate()->unready_reasons(actors_.env().monotonic_ns());
  if (auto why = actors_.cluster_view()->unready(); !why.empty()) reasons.push_back(std::move(why));
  return reasons;
}

std::optional<std::uint64_t> actor_backend::max_record_bytes(std::string_view log) const {
  if (log != log_name()) return std::nullopt;
  return facts_.settings.max_record_bytes;
}

std::optional<record_offset> actor_backend::next_offset(std::string_view log) const {
  if (log != log_name()) return std::nullopt;
  return actors_.reader()->end_offset();
}

net::cluster_description actor_backend::cluster() const {
  net::cluster_description out{.cluster_id = facts_.cluster_id, .node = node_id(), .members = {}};
  const auto report = actors_.cluster_view()->get();
  const auto gossip = actors_.membership_view()->get();
  for (const auto& member : report->members) {
    auto& one = out.members.emplace_back();
    if (member.node == node_id()) one = facts_.self;  // what only the node itself knows
    one.id = member.node;
    one.state = member.linked ? "alive" : "failed";
    if (const auto* heard = gossip->find(member.node); heard != nullptr) {
      one.state = name_of(heard->state);
      one.version = heard->info.version;
      one.incarnation = heard->incarnation;
    }
    one.http = member.http;
    one.grpc = member.grpc;
    one.peer = member.peer;
    one.zone = member.zone;
  }
  if (out.members.empty()) out.members.push_back(facts_.self);
  return out;
}

}  // namespace cairn::apps
