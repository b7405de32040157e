#include "actors/inspect/trace_steps.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {

namespace {

std::uint64_t between(std::uint64_t from_ns, std::uint64_t to_ns) {
  return to_ns > from_ns ? to_ns - from_ns : 0;
}

std::uint64_t begin_of(const entry_way& way) {
  return way.entry.received_ns == 0 ? way.proposed_ns : way.entry.received_ns;
}

class steps {
public:
  steps(v1::Trace& to, std::uint64_t begin_ns) : to_(to), begin_ns_(begin_ns) {}

  /// What has not happened (0) is left out.
  void moment(const std::string& node, const char* actor, std::string what, std::uint64_t at_ns) {
    lasting(node, actor, std::move(what), at_ns, at_ns);
  }
  void lasting(const std::string& node, const char* actor, std::string what, std::uint64_t from_ns,
               std::uint64_t to_ns) {
    if (from_ns == 0 || to_ns == 0) return;
    v1::TraceStep& step = *to_.add_steps();
    step.set_node(node);
    step.set_actor(actor);
    step.set_what(std::move(what));
    step.set_at_ns(between(begin_ns_, from_ns));
    step.set_took_ns(between(from_ns, to_ns));
  }

private:
  v1::Trace& to_;
  const std::uint64_t begin_ns_;
};

void sort(v1::Trace& trace) {
  std::stable_sort(trace.mutable_steps()->begin(), trace.mutable_steps()->end(),
                   [](const auto& a, const auto& b) { return a.at_ns() < b.at_ns(); });
}

std::string peer_name(const entry_timeline& timeline, std::size_t i) {
  return timeline.peers[i].empty() ? fmt::format("#{}", timeline.way.peers[i].node.value())
                                   : timeline.peers[i];
}

}  // namespace

bool complete(const entry_timeline& timeline) {
  const entry_way& way = timeline.way;
  return way.answered_ns != 0 && way.write.synced_ns != 0 &&
         std::all_of(way.peers.begin(), way.peers.end(),
                     [](const peer_way& peer) { return peer.acked_ns != 0; });
}

void add_leader_steps(const entry_timeline& timeline, const std::string& leader, v1::Trace& out) {
  const entry_way& way = timeline.way;
  steps to(out, begin_of(way));
  to.lasting(leader, "raft", "waits in the queue for the write under way", way.entry.received_ns,
             way.proposed_ns);
  to.moment(
      leader, "raft",
      fmt::format("is entry {} of term {}, {}", way.entry.index.value(), way.term.value(),
                  way.entry.appends == 1 ? std::string("alone in it")
                                         : fmt::format("with {} others", way.entry.appends - 1)),
      way.proposed_ns);
  to.lasting(leader, "log", "on its way to the LogActor", way.proposed_ns, way.write.begun_ns);
  to.lasting(leader, "log", fmt::format("written to segment {}", timeline.segment.value()),
             way.write.begun_ns, way.write.written_ns);
  to.lasting(leader, "log", "synced (fdatasync)", way.write.written_ns, way.write.synced_ns);
  for (std::size_t i = 0; i < way.peers.size(); ++i) {
    const peer_way& peer = way.peers[i];
    const std::string name = peer_name(timeline, i);
    to.moment(leader, "raft", fmt::format("sent to {}", name), peer.sent_ns);
    if (peer.acked_ns != 0) {
      to.lasting(name, "raft", "on its disk and acknowledged", peer.sent_ns, peer.acked_ns);
    } else {
      to.moment(name, "raft", "has not acknowledged it yet", peer.sent_ns);
    }
  }
  to.moment(leader, "raft",
            way.quorum_ns == 0 ? "committed"
                               : fmt::format("committed: on a quorum of {}", timeline.voters),
            way.committed_ns);
  to.moment(leader, "raft", "published: readers of this node see it", way.published_ns);
  to.moment(leader, "raft", "answered", way.answered_ns);
  sort(out);
}

void add_local_ends(const trace_ends& ends, const entry_timeline& timeline, v1::Trace& out) {
  // An entry begins with the first append in it, which may have come before this one.
  const auto begin_ns = std::max(begin_of(timeline.way), ends.received_ns);
  const auto early_ns = begin_ns - begin_of(timeline.way);
  for (v1::TraceStep& step : *out.mutable_steps()) {
    if (step.at_ns() < early_ns) {
      const auto before_ns = std::min(early_ns - step.at_ns(), step.took_ns());
      step.set_took_ns(step.took_ns() - before_ns);
    }
    step.set_at_ns(between(early_ns, step.at_ns()));
  }
  steps to(out, begin_ns);
  to.moment(ends.node, "gateway", "takes the append", ends.received_ns);
  to.moment(ends.node, "gateway", "has the answer", ends.answered_ns);
  // Of all that happens at once the taking comes first.
  auto& all = *out.mutable_steps();
  std::rotate(all.begin(), all.end() - 2, all.end());
  sort(out);
}

void add_remote_ends(const trace_ends& ends, const std::string& leader, v1::Trace& out) {
  std::uint64_t there_ns = 0;
  for (const v1::TraceStep& step : out.steps()) {
    if (step.what() == "answered") there_ns = step.at_ns();
  }
  steps to(out, 0);
  const std::uint64_t total_ns = between(ends.received_ns, ends.answered_ns);
  to.moment(ends.node, "gateway", fmt::format("takes the append, hands it on to {}", leader), 1);
  to.lasting(
      ends.node, "raft",
      fmt::format("to {} and back, by this node's clock, without what {} took", leader, leader), 1,
      1 + between(there_ns, total_ns));
  auto& all = *out.mutable_steps();
  for (auto step = all.end() - 2; step != all.end(); ++step)
    step->set_at_ns(0);
  std::rotate(all.begin(), all.end() - 2, all.end());
  sort(out);
}

}  // namespace cairn::actors
