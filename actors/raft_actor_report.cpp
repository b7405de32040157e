// What a RaftActor says about itself to people and to the ClusterActor.

#include "actors/raft_actor.hpp"
#include "actors/recorder/describe.hpp"
#include "storage/base/log_line.hpp"

#include <fmt/format.h>

namespace cairn::actors {
void raft_state::log_lead() const {
  const std::string leader = peers_.name_of(lead_.leader);
  log_info(log_component::raft)
      .sparsely()
      .field("log", config_.log_name)
      .field("term", lead_.term.value())
      .field("leader", leader)
      .field("role", name_of(lead_.as))
      .say("{}", lead_.leader == raft::k_nobody ? "no leader is known"
                                                : fmt::format("node {} leads", leader));
}

std::string raft_state::lead_line() const {
  if (lead_.leader == raft::k_nobody) {
    return fmt::format("term {}: {}, no leader is known", lead_.term.value(), name_of(lead_.as));
  }
  return fmt::format("term {}: node {} {} leads", lead_.term.value(), lead_.leader.value(),
                     peers_.name_of(lead_.leader));
}

// Why an append that came now would be refused; empty: it would not.
std::string raft_state::why_refused() const {
  if (config_.gate->closing()) return config_.gate->closed_reason();
  if (auto why = replica_.why_refused(); !why.empty()) return why;
  if (!config_.gate->full()) return {};
  return fmt::format("the queue is full: {} appends with {} of {} bytes wait",
                     config_.gate->queued_appends(), config_.gate->queued_bytes(),
                     config_.gate->queued_bytes_max());
}

raft_report raft_state::report() const {
  const raft::core_status status = replica_.core().status();
  const raft::log_view& log = replica_.core().log();
  const std::uint64_t tick_ns = config_.replica.tick_ns;
  raft_report report;
  report.self = status.self;
  report.lead = {status.as, status.term, status.leader};
  report.commit = status.commit;
  report.last = status.last.index;
  report.durable = status.durable;
  report.next_offset = status.next_offset;
  report.members = members_;
  report.members_index = status.config_index;
  report.quiesced = status.quiesced;
  report.fenced = status.fenced;
  for (const auto& [node, peer] : status.peers) {
    // Of a peer that is far behind only a bound is known.
    const auto offset = log.offset_after(peer.match).value_or(log.start_offset());
    auto& one = report.peers.emplace_back();
    one.node = node;
    one.match = peer.match;
    one.match_offset = peer.match < log.start().index ? record_offset{} : offset;
    one.replicating = peer.state == raft::send_state::replicate;
    one.active = peer.active;
    one.state = peer.state;
    one.next = peer.next;
    one.in_flight_bytes = peer.window_bytes;
    one.in_flight_messages = peer.window_messages;
  }
  report.first = status.start.index.next();
  report.applied = replica_.visible_index();
  report.applied_offset = replica_.range().next;
  report.election_timeout_ms = config_.replica.core.election_ticks * tick_ns / 1'000'000;
  report.heartbeat_ms = config_.replica.core.heartbeat_ticks * tick_ns / 1'000'000;
  report.fence_reason = replica_.fence_reason();
  if (replica_.disk_full()) report.disk_full_reason = replica_.no_room();
  report.refuses = why_refused();
  report.waiting_appends = replica_.waiting_count();
  report.open_appends = replica_.open_count();
  report.queued_bytes = config_.gate->queued_bytes();
  report.queued_bytes_max = config_.gate->queued_bytes_max();
  chronicle_.fill(report, status.vote);
  return report;
}

std::string raft_state::state_line() const {
  const raft::core& core = replica_.core();
  const log_range range = replica_.range();
  return fmt::format(
      "{}{} in term {}, leader {}, entries ({}, {}] committed to {}, offsets [{}, {}), {} voters, "
      "{} appends waiting, {} under way, {} writes",
      core.fenced() ? "fenced " : "", name_of(core.as()), core.term().value(),
      core.leader() == raft::k_nobody ? "unknown" : peers_.name_of(core.leader()),
      core.log().start().index.value(), core.log().last_index().value(),
      core.commit_index().value(), range.lowest.value(), range.next.value(),
      core.members().voters.size(), replica_.waiting_count(), replica_.open_count(), groups_);
}

}  // namespace cairn::actors
