// Appends with an identity: stored once, and every replica knows the same of them.

#include "apps/sim/world.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::sim {

// From the memory of a core that has committed it, or from its disk.
std::optional<raft::entry> world::committed_entry(std::uint64_t index, log_index wanted) const {
  const machine& m = *machines_[index];
  const raft::log_view& log = m.replica->core().log();
  if (wanted >= log.window_first()) return log.at(wanted);
  const auto loaded = m.store->load(wanted, wanted.next(), 1);
  if (!loaded || loaded->empty() || loaded->front().term != log.term_of(wanted)) {
    return std::nullopt;
  }
  return loaded->front();
}

// What is committed, entry by entry, from whoever commits it first.
void world::follow_sessions(std::uint64_t index) {
  machine& m = *machines_[index];
  const raft::core& core = m.replica->core();
  while (stored_known_ && stored_.applied() < core.commit_index()) {
    const log_index next = stored_.applied().next();
    const auto found = committed_entry(index, next);
    if (!found) {
      stored_known_ = false;
      return note(index, "what it committed is out of reach: entry", next.value());
    }
    const raft::entry& e = *found;
    const auto appends = actors::stamps_in(e);
    for (const actors::stamped_append& append : appends) {
      const proto::append_identity& who = append.identity;
      const auto* known = stored_.find_producer(who.hash);
      const bool twice =
          who.producer
              ? known != nullptr && (who.epoch < known->epoch ||
                                     (who.epoch == known->epoch && who.seq <= known->last_seq))
              : stored_.find_key(who.hash, e.timestamp_ms) != nullptr;
      if (twice) {
        return fail(index, fmt::format("entry {} stores an append at offset {} that is stored "
                                       "already",
                                       next.value(), append.receipt.offset.value()));
      }
    }
    stored_.apply(next, appends);
  }
}

// The overlay is derived from the log: what it would be if it were made anew from the disk. Asked
// when a write has just been done, so that it is exactly what was given to storage.
void world::check_overlay(std::uint64_t index) {
  machine& m = *machines_[index];
  if (swarm_.identity_percent == 0 || m.flipped) return;
  const actors::replica_sessions& sessions = m.replica->sessions();
  const storage::segmented_log& log = m.store->log();
  actors::session_overlay fresh;
  log_index next = std::max(sessions.table().applied().next(), log.first_index());
  while (next < log.next_index()) {
    const auto entries = m.store->load(next, log.next_index(), k_overlay_read_bytes);
    if (!entries || entries->empty()) return;  // the disk fails: that ends the node
    for (const raft::entry& e : *entries)
      fresh.append(e.index, actors::stamps_in(e));
    next = entries->back().index.next();
  }
  if (fresh.entries() != sessions.pending().entries()) {
    fail(index, fmt::format("it knows of {} entries with identities that are not committed, its "
                            "disk has {}",
                            sessions.pending().entries().size(), fresh.entries().size()));
  }
}

void world::check_sessions() {
  if (!stored_known_) return;
  const shared_bytes all = stored_.serialize();
  for (const raft::node_id node : machines_[*leader()]->replica->members().members()) {
    const machine& m = *machines_[node.value() - 1];
    if (m.ruined) continue;
    if (m.replica->sessions().state().text() == all.text()) continue;
    return fail(node.value() - 1, "it does not know the same appends as what is committed says");
  }
}

}  // namespace cairn::sim
