// What goes wrong, and what operators ask for.

#include "apps/sim/world.hpp"
#include "storage/paths.hpp"
#include "storage/store_header.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace cairn::sim {

void world::plan(fault_kind kind, std::uint64_t interval_ms) {
  if (interval_ms == 0) return;
  time_.after(1 + random_.below(2 * interval_ms * k_ns_per_ms), [this, kind, interval_ms] {
    if (!faults_ || !failure_.empty()) return;
    happen(kind);
    plan(kind, interval_ms);
  });
}

void world::happen(fault_kind kind) {
  switch (kind) {
    case fault_kind::power_cut:
      return crash_some(testing::crash_keep::at_random);
    case fault_kind::kill:
      return crash_some(testing::crash_keep::all);
    case fault_kind::pause:
      return pause();
    case fault_kind::partition:
      return partition();
    case fault_kind::isolate:
      return isolate(leader_or_any());
    case fault_kind::clog:
      return clog();
    case fault_kind::sync_error:
      return sync_error();
    case fault_kind::disk_full:
      return disk_full();
    case fault_kind::disk_hang:
      return hang_disk();
    case fault_kind::bit_flip:
      return flip_bit();
    case fault_kind::clock_jump:
      machines_[any_machine()]->wall_offset_ms =
          static_cast<unix_ms>(random_.below(7'200'000)) - 3'600'000;
      return;
    case fault_kind::members:
      return change_members();
    case fault_kind::transfer:
      return transfer();
    case fault_kind::trim:
      return trim();
  }
}

std::uint64_t world::any_machine() {
  const std::uint64_t first = random_.below(machines_.size());
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    const std::uint64_t index = (first + i) % machines_.size();
    if (machines_[index]->up()) return index;
  }
  return first;
}

// The one with the highest term: others may believe that they lead.
std::optional<std::uint64_t> world::leader() const {
  std::optional<std::uint64_t> found;
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    const machine& m = *machines_[i];
    if (!m.up() || m.status.as != raft::role::leader) continue;
    if (!found || m.status.term > machines_[*found]->status.term) found = i;
  }
  return found;
}

std::uint64_t world::leader_or_any() {
  const std::uint64_t any = any_machine();
  return leader().value_or(any);
}

void world::crash_some(testing::crash_keep keep) {
  if (random_.below(100) < swarm_.all_percent) {
    for (std::uint64_t i = 0; i < machines_.size(); ++i)
      end(i, keep);
  } else {
    end(random_.one_in(3) ? leader_or_any() : any_machine(), keep);
  }
}

// A process that stands still, and does not know it when it goes on.
void world::pause() {
  const std::uint64_t index = random_.coin() ? leader_or_any() : any_machine();
  machine& m = *machines_[index];
  if (!m.up() || m.paused) return;
  note(index, "stands still");
  m.paused = true;
  time_.after(k_ns_per_ms * (50 + random_.below(4000)), [this, index, &m, life = m.life] {
    if (m.life == life) resume(index);
  });
}

void world::resume(std::uint64_t index) {
  machine& m = *machines_[index];
  if (!m.paused) return;
  note(index, "goes on: events", m.while_paused.size());
  m.paused = false;
  for (auto& what : std::exchange(m.while_paused, {}))
    on_machine(index, 0, [what = std::move(what)](machine&) { what(); });
}

void world::partition() {
  std::vector<std::uint64_t> sides;
  for (std::uint64_t i = 0; i < machines_.size(); ++i)
    sides.push_back(random_.below(2));
  const bool one_way = random_.one_in(3);
  note(k_world, "partition: one way", one_way);
  if (random_.one_in(6)) {
    // A ring: each sees its neighbours only.
    net_.heal(false);
    for (std::uint64_t i = 0; i < machines_.size(); ++i) {
      for (std::uint64_t j = 0; j < machines_.size(); ++j) {
        const std::uint64_t distance = (i + machines_.size() - j) % machines_.size();
        if (distance > 1 && distance + 1 < machines_.size()) net_.cut(i, j);
      }
    }
  } else {
    net_.partition(sides, one_way);
  }
  heal_later();
}

void world::isolate(std::uint64_t index) {
  const std::uint64_t direction = random_.below(4);
  note(index, "is cut off: direction", direction);
  for (std::uint64_t other = 0; other < machines_.size(); ++other) {
    if (direction != 1) net_.cut(index, other);
    if (direction != 0) net_.cut(other, index);
  }
  heal_later();
}

void world::heal_later() {
  links_changed();
  const std::uint64_t number = ++cut_number_;
  time_.after(k_ns_per_ms * (300 + random_.below(5000)), [this, number] {
    if (number != cut_number_) return;
    note(k_world, "the network is whole again");
    net_.heal(false);
    links_changed();
  });
}

// At once: what it writes now stays on its own disk. Later: some of it gets through.
void world::was_elected(std::uint64_t index) {
  machine& m = *machines_[index];
  note(index, "is elected: term", m.status.term.value());
  if (!faults_) return;
  if (swarm_.relay_percent != 0 && random_.below(100) < swarm_.relay_percent) {
    if (random_.coin()) return relay(index);
    m.relay_term = m.status.term;
  }
  if (random_.below(100) >= swarm_.coup_percent) return;
  if (random_.coin()) return isolate(index);
  const std::uint64_t delay_ns = random_.below(4 * swarm_.net.delay_jitter_ns + 1);
  time_.after(delay_ns, [this, index] {
    if (faults_ && failure_.empty()) isolate(index);
  });
}

// Leaders take turns: each is cut off with what it has, and the last one may go on with its own.
void world::relay(std::uint64_t index) {
  note(index, "is cut off, others are back");
  machines_[index]->relay_term = {};
  net_.heal(false);
  for (std::uint64_t other = 0; other < machines_.size(); ++other) {
    net_.cut(index, other);
    net_.cut(other, index);
  }
  heal_later();
}

void world::clog() {
  const std::uint64_t from = random_.below(machines_.size());
  const std::uint64_t to = random_.below(machines_.size());
  note(k_world, "clog: from, to", from + 1, to + 1);
  net_.clog(from, to, time_.now_ns() + k_ns_per_ms * (100 + random_.below(3000)));
}

void world::sync_error() {
  const std::uint64_t index = any_machine();
  machine& m = *machines_[index];
  const bool sync = random_.coin();
  note(index, sync ? "its next sync fails" : "its next write fails");
  m.disk.fail(sync ? testing::sim_op::sync_data : testing::sim_op::write, 1 + random_.below(3),
              errc::io_error);
}

void world::disk_full() {
  const std::uint64_t index = random_.coin() ? leader_or_any() : any_machine();
  machine& m = *machines_[index];
  note(index, "its disk is full");
  m.disk.set_capacity_bytes(m.disk.used_bytes() + random_.below(20'000));
  time_.after(k_ns_per_ms * (200 + random_.below(8000)), [this, index, &m] {
    note(index, "its disk has room again");
    m.disk.set_capacity_bytes(std::nullopt);
  });
}

void world::hang_disk() {
  const std::uint64_t index = random_.coin() ? leader_or_any() : any_machine();
  machine& m = *machines_[index];
  const std::uint64_t hang_ns = k_ns_per_ms * (100 + random_.below(5000));
  note(index, "its disk stands still: ms", hang_ns / k_ns_per_ms);
  m.disk_free_ns = std::max(m.disk_free_ns, time_.now_ns()) + hang_ns;
}

// Only below what is committed, and on fewer machines than a quorum can spare: then nothing may be
// lost, and nothing wrong may ever be shown.
void world::flip_bit() {
  const auto down = std::find_if(machines_.begin(), machines_.end(), [](const auto& m) {
    return !m->up() && !m->flipped && m->durable.entries().size() > 2;
  });
  const auto flipped =
      std::count_if(machines_.begin(), machines_.end(), [](const auto& m) { return m->flipped; });
  if (down == machines_.end() || static_cast<std::uint64_t>(flipped) >= flips_max_) return;
  machine& m = **down;
  const auto& entries = m.durable.entries();
  const entry_facts& first = entries.front();
  if (first.index > truth_.committed()) return;
  const std::string suffix(random_.coin() ? storage::k_store_suffix : storage::k_index_suffix);
  const std::string path =
      storage::join_path(k_log_directory, storage::segment_file_name(first.base_offset, suffix));
  if (!m.disk.exists(path)) return;
  const std::uint64_t size = m.disk.bytes(path).size();
  const std::uint64_t end = std::min<std::uint64_t>(
      size, suffix == storage::k_store_suffix
                ? storage::k_store_header_bytes + storage::k_frame_header_bytes
                : 16);
  if (end == 0) return;
  const std::uint64_t position = random_.below(end);
  m.disk.flip_bit(path, position, static_cast<unsigned>(random_.below(8)));
  m.flipped = true;
  note(m.node.value() - 1, "a bit flips: byte", position);
}

void world::change_members() {
  const std::uint64_t index = leader_or_any();
  std::vector<raft::member_change> changes;
  const std::uint64_t count = 1 + random_.below(2);
  for (std::uint64_t i = 0; i < count; ++i) {
    using action = raft::member_change::action;
    const raft::node_id node(1 + random_.below(machines_.size()));
    const auto what = std::array{action::add_voter, action::add_voter, action::add_learner,
                                 action::remove}[random_.below(4)];
    changes.push_back({what, node});
  }
  const std::uint64_t request = ++last_id_;
  on_machine(index, 0, [this, index, request, changes](machine& m) {
    note(index, "is asked for a change of members: request", request);
    requests_[request] = index;
    m.replica->change_membership(request, changes, {});
    drive_soon(index);
  });
}

void world::transfer() {
  const std::uint64_t index = leader_or_any();
  const raft::node_id target(1 + random_.below(machines_.size()));
  const std::uint64_t request = ++last_id_;
  on_machine(index, 0, [this, index, request, target](machine& m) {
    note(index, "is asked to hand over: request, target", request, target.value());
    requests_[request] = index;
    m.replica->transfer(request, target);
    drive_soon(index);
  });
}

// Retention: whole segments go from the front, on each node by itself.
void world::trim() {
  const std::uint64_t index = any_machine();
  disk_job(index, [this, index](machine& m) {
    const auto trimmed = m.store->apply_retention();
    if (m.store->take_sessions_wanted()) m.replica->want_checkpoint();
    if (m.store->fenced()) return end(index, testing::crash_keep::all);
    drive_soon(index);
    if (!trimmed) return;
    note(index, "trims: up to entry, lowest offset", trimmed->start.index.value(),
         trimmed->lowest.value());
    m.replica->log_trimmed(trimmed->start.index, trimmed->start_offset,
                           trimmed->start_timestamp_ms);
  });
}

}  // namespace cairn::sim
