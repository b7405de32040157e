#include "tests/sim/raft_world.hpp"

#include "actors/recorder/replay.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::testing {
namespace {

constexpr std::uint64_t k_tick_time = 10;
constexpr std::uint64_t k_world = 1000;  // "machine" of events that concern all
constexpr std::uint64_t k_liveness_time = 6000;

raft::node_id node_of(std::uint64_t index) {
  return raft::node_id(index + 1);
}
std::uint64_t index_of(raft::node_id node) {
  return node.value() - 1;
}

}  // namespace

raft_swarm raft_swarm::draw(sim_random& random) {
  raft_swarm s;
  const auto sometimes = [&random](std::uint64_t least, std::uint64_t most) {
    return random.coin() ? least + random.below(most - least) : 0;
  };
  s.node_count = std::array<std::uint64_t, 6>{1, 3, 3, 4, 5, 5}[random.below(6)];
  s.voter_count = s.node_count >= 4 && random.coin() ? s.node_count - 2 : s.node_count;
  s.delay_max = 2 + random.below(random.one_in(4) ? 60 : 12);
  s.disk_max = 2 + random.below(random.one_in(3) ? 120 : 12);
  s.loss_percent = sometimes(1, 30);
  s.replay_percent = sometimes(1, 50);
  s.crash_interval = sometimes(100, 800);
  s.partition_interval = sometimes(150, 700);
  s.hang_interval = random.one_in(4) ? 400 + random.below(1000) : 0;
  s.member_interval = s.node_count >= 4 ? sometimes(100, 500) : 0;
  s.transfer_interval = sometimes(100, 600);
  s.trim_interval = sometimes(50, 400);
  s.propose_interval = 2 + random.below(30);
  s.read_interval = 5 + random.below(60);
  s.small_windows = random.coin();
  s.append_bytes = random.coin() ? 1 : 300;
  s.quiesce = random.coin();
  if (random.one_in(5)) {
    // Leaders that come and go with entries half replicated (paper, figure 8).
    s.node_count = s.voter_count = 5;
    s.member_interval = s.trim_interval = s.hang_interval = 0;
    s.small_windows = true;
    s.append_bytes = 1;
    s.crash_interval = s.partition_interval = s.transfer_interval = 0;
    s.coups = true;
    s.delay_max = 12 + random.below(20);
    s.disk_max = 2 + random.below(10);
    s.propose_interval = 2 + random.below(10);
  }
  return s;
}

std::string raft_swarm::text() const {
  return fmt::format(
      "nodes {} voters {} delay {} disk {} loss {}% replay {}% crash {} partition {} hang {} "
      "members {} transfer {} trim {} propose {} read {} small {} append {} coups {} quiesce {}",
      node_count, voter_count, delay_max, disk_max, loss_percent, replay_percent, crash_interval,
      partition_interval, hang_interval, member_interval, transfer_interval, trim_interval,
      propose_interval, read_interval, small_windows, append_bytes, coups, quiesce);
}

raft_world::raft_world(std::uint64_t seed, std::uint64_t recorder_bytes)
    : recorder_bytes_(recorder_bytes), random_(seed), swarm_(raft_swarm::draw(random_)) {
  raft::configuration first;
  for (std::uint64_t i = 0; i < swarm_.voter_count; ++i)
    first.voters.push_back(node_of(i));
  raft::entry bootstrap;
  bootstrap.index = log_index(1);
  bootstrap.term = term_id(1);
  bootstrap.kind = raft::entry_kind::config;
  bootstrap.payload = raft::encode(first);
  machines_.resize(swarm_.node_count);
  side_.assign(swarm_.node_count, 0);
  for (std::uint64_t i = 0; i < swarm_.node_count; ++i) {
    machine& m = machines_[i];
    m.config.self = node_of(i);
    m.config.quiesce_after_ticks = swarm_.quiesce ? 15 : 0;
    if (swarm_.small_windows) {
      // Down to one entry a message, one message at a time.
      m.config.append_bytes_max = swarm_.append_bytes;
      m.config.peer_window_bytes = 3 * swarm_.append_bytes;
      m.config.window_bytes_max = 500;
      m.config.uncommitted_bytes_max = 4000;
      m.config.promote_lag_entries_max = 5;
    }
    m.random = std::make_unique<generator>(random_.next());
    if (i < swarm_.voter_count) {
      m.disk.state.term = term_id(1);
      m.disk.entries.push_back(bootstrap);
    }
    start(i);
  }
  at_fault(fault::kind::crash, swarm_.crash_interval);
  at_fault(fault::kind::partition, swarm_.partition_interval);
  at_fault(fault::kind::hang, swarm_.hang_interval);
  at_fault(fault::kind::members, swarm_.member_interval);
  at_fault(fault::kind::transfer, swarm_.transfer_interval);
  at_fault(fault::kind::trim, swarm_.trim_interval);
  at_fault(fault::kind::propose, swarm_.propose_interval);
  at_fault(fault::kind::read, swarm_.read_interval);
}

void raft_world::at(std::uint64_t delay, std::uint64_t index, happening what) {
  const std::uint64_t life = index == k_world ? 0 : machines_[index].life;
  events_.push({now_ + delay, ++order_, index, life, std::make_shared<happening>(std::move(what))});
}

void raft_world::at_fault(fault::kind kind, std::uint64_t interval) {
  if (interval != 0) at(1 + random_.below(2 * interval), k_world, fault{kind});
}

void raft_world::start(std::uint64_t index) {
  machine& m = machines_[index];
  ++m.life;
  if (recorder_bytes_ != 0) {
    m.recorder = std::make_shared<actors::flight_recorder>(
        recorder_bytes_, actors::recorder_identity{.node = fmt::format("n{}", index + 1),
                                                   .cluster_id = "c1",
                                                   .log = "default",
                                                   .version = "test",
                                                   .core = m.config,
                                                   .tick_ns = 50'000'000});
  }
  m.core =
      std::make_unique<actors::recorded_core>(m.config, m.disk.boot(), *m.random, m.recorder.get());
  m.last_status = m.core->status();
  // What a lone voter takes for committed at its start is checked like every other commit.
  m.last_status.commit = m.disk.start.index;
  at(1 + random_.below(k_tick_time), index, timer{});
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    at(20 + random_.below(50), i, suspect{node_of(index), true});
  }
}

// Of a write under way, any prefix of its steps may have reached the disk.
void raft_world::crash(std::uint64_t index) {
  machine& m = machines_[index];
  if (!m.core) return;
  if (m.writing) {
    const std::size_t all = steps_of(*m.writing);
    const std::size_t done = random_.coin() ? random_.below(all + 1) : (random_.coin() ? all : 0);
    const std::string broken =
        done == 0 ? "" : truth_.saw_write(node_of(index), m.disk, *m.writing);
    if (!broken.empty()) fail(index, broken);
    m.disk.apply(*m.writing, done);
    m.writing.reset();
  }
  check_recording(index);
  m.core.reset();
  m.open_proposals.clear();
  m.open_reads.clear();
  ++m.life;
  at(10 + random_.below(400), index, restart{});
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    at(20 + random_.below(50), i, suspect{node_of(index), false});
  }
}

// Drives a core with what the recorder has kept, from the state that it kept: it must do the same.
void raft_world::check_recording(std::uint64_t index) {
  const auto& recorder = machines_[index].recorder;
  if (!recorder) return;
  const auto dump = actors::decode_dump(recorder->dump("a test", 0));
  if (!dump) return fail(index, "a recording does not read: " + dump.error().detail);
  image_count_ += recorder->counts().images;
  for (const actors::dump_chunk& chunk : dump->chunks)
    replayed_count_ += chunk.steps.size();
  const std::string broken = actors::first_mismatch(*dump);
  if (!broken.empty()) fail(index, "a recording is not what the core did: " + broken);
}

void raft_world::give(std::uint64_t index, raft::input in) {
  machine& m = machines_[index];
  if (!m.core || !failure_.empty()) return;
  if (m.recorder) m.recorder->set_time(now_ * 5'000'000, static_cast<unix_ms>(now_ * 5));
  trace(in.index());
  m.core->step(std::move(in));
  carry_out(index);
}

void raft_world::carry_out(std::uint64_t index) {
  machine& m = machines_[index];
  raft::ready ready = m.core->take_ready();
  raft::core_status now = m.core->status();
  std::string broken = raft::broken_invariant(now, m.config);
  if (broken.empty()) broken = raft::broken_transition(m.last_status, now);
  if (broken.empty() && now.as == raft::role::leader) broken = truth_.saw_leader(*m.core);
  if (broken.empty() && now.commit > m.last_status.commit) {
    std::map<raft::node_id, const raft_image*> disks;
    for (std::uint64_t i = 0; i < machines_.size(); ++i)
      disks[node_of(i)] = &machines_[i].disk;
    broken = truth_.saw_commit(*m.core, m.last_status.commit, disks);
  }
  if (!broken.empty()) fail(index, broken);
  const bool elected = now.as == raft::role::leader && m.last_status.as != raft::role::leader;
  if (elected && swarm_.coups && faults_ && random_.below(4) != 0) {
    // At once: what it writes now stays on its own disk. Later: some of it gets through.
    const event now_or_later{now_, 0, index, m.life, std::make_shared<happening>(fall{true})};
    if (random_.coin()) {
      handle(now_or_later);
    } else {
      at(random_.below(4 * swarm_.delay_max), index, fall{true});
    }
  }
  trace(now.term.value() * 31 + now.last.index.value() * 7 + now.commit.value());
  m.last_status = std::move(now);
  for (const raft::notice& n : ready.notices) {
    const bool alarm =
        n.kind == raft::notice_kind::message_refused || n.kind == raft::notice_kind::entries_lost;
    if (alarm) fail(index, fmt::format("notice about {}: {}", n.node.value(), n.detail));
  }
  take_answers(index, ready);
  answer_loads(index, ready);
  for (raft::message& message : ready.messages)
    send(index, std::move(message));
  if (!ready.persist) return;
  if (m.writing) return fail(index, "two writes at a time");
  const raft::persist_ticket ticket = ready.persist->ticket;
  m.writing = std::move(ready.persist);
  at(1 + random_.below(swarm_.disk_max), index, raft::input(raft::persist_done{ticket}));
}

void raft_world::take_answers(std::uint64_t index, const raft::ready& ready) {
  machine& m = machines_[index];
  for (const raft::proposal_answer& answer : ready.proposals) {
    const std::uint64_t value = answer.id.value();
    if (m.open_proposals.erase(value) == 0) return fail(index, "a proposal was answered twice");
    if (answer.outcome == raft::proposal_outcome::not_done) truth_.saw_not_done(value);
    if (answer.outcome != raft::proposal_outcome::ok) continue;
    // Odd numbers name changes of the membership, which carry no value.
    const std::string broken = truth_.saw_ok(value % 2 == 1 ? 0 : value, answer.position);
    if (!broken.empty()) return fail(index, broken);
  }
  for (const raft::read_answer& answer : ready.reads) {
    const auto read = m.open_reads.find(answer.id.value());
    if (read == m.open_reads.end()) return fail(index, "a read was answered twice");
    if (answer.ok && answer.index < read->second) {
      return fail(index, fmt::format("a read saw {} after {} was committed", answer.index.value(),
                                     read->second.value()));
    }
    m.open_reads.erase(read);
  }
}

void raft_world::answer_loads(std::uint64_t index, const raft::ready& ready) {
  machine& m = machines_[index];
  for (const raft::load_request& want : ready.loads) {
    raft::entries_loaded loaded{want.peer, want.request, {}};
    const std::uint64_t count = 1 + random_.below(4);
    for (log_index i = want.first; i < want.last && loaded.entries.size() < count; i = i.next()) {
      if (i > m.disk.last()) return fail(index, "asked to load what is not durable");
      loaded.entries.push_back(m.disk.at(i));
    }
    if (random_.one_in(20)) loaded.entries.clear();
    at(1 + random_.below(swarm_.disk_max), index, raft::input(std::move(loaded)));
  }
  for (const raft::snapshot_needed& want : ready.snapshots)
    give_snapshot(index, want);
}

void raft_world::give_snapshot(std::uint64_t index, const raft::snapshot_needed& want) {
  machine& m = machines_[index];
  const log_index visible = m.last_status.visible;
  const log_index last = want.at_least.plus(random_.below(visible.since(want.at_least) + 1));
  raft::snapshot content;
  content.last = {last, *m.core->log().term_of(last)};
  content.config = m.core->configs().at(last);
  content.next_offset = m.disk.offset_after(last);
  if (random_.one_in(5)) return;  // forgotten; the core asks again
  at(1 + random_.below(2 * swarm_.disk_max), index,
     raft::input(raft::snapshot_available{want.peer, want.request, std::move(content)}));
}

void raft_world::send(std::uint64_t from, raft::message m) {
  trace(m.body.index() + 100 * m.to.value());
  const std::uint64_t to = index_of(m.to);
  const std::uint64_t copies = faults_ && random_.below(100) < swarm_.replay_percent ? 2 : 1;
  for (std::uint64_t copy = 0; copy < copies; ++copy) {
    if (faults_ && random_.below(100) < swarm_.loss_percent) continue;
    const bool cut = side_[from] != side_[to] && (!one_way_ || side_[from] == 0);
    if (cut) continue;
    const std::uint64_t extra = copy == 0 ? 0 : random_.below(200);
    events_.push({now_ + 1 + random_.below(swarm_.delay_max) + extra, ++order_, to, 0,
                  std::make_shared<happening>(raft::input(m))});
  }
}

void raft_world::handle(const event& e) {
  if (const auto* f = std::get_if<fault>(e.what.get())) return happen(*f);
  if (std::holds_alternative<heal>(*e.what)) {
    std::fill(side_.begin(), side_.end(), 0);
    return;
  }
  machine& m = machines_[e.machine];
  auto* in = std::get_if<raft::input>(e.what.get());
  const bool from_network = in != nullptr && std::holds_alternative<raft::message>(*in);
  if (!from_network && e.life != m.life) return;
  if (std::holds_alternative<fall>(*e.what)) {
    const bool down = std::get<fall>(*e.what).down;
    side_[e.machine] = faults_ && down ? e.machine + 1 : 0;
    if (down) at(50 + random_.below(400), e.machine, fall{false});
  } else if (std::holds_alternative<restart>(*e.what)) {
    if (!m.core) start(e.machine);
  } else if (std::holds_alternative<timer>(*e.what)) {
    at(k_tick_time - 1 + random_.below(3), e.machine, timer{});
    give(e.machine, raft::tick{});
  } else if (const auto* s = std::get_if<suspect>(e.what.get())) {
    give(e.machine, raft::peer_reachable{s->node, s->reachable});
  } else if (in != nullptr) {
    if (std::holds_alternative<raft::persist_done>(*in)) {
      const std::string broken = truth_.saw_write(node_of(e.machine), m.disk, *m.writing);
      if (!broken.empty()) return fail(e.machine, broken);
      m.disk.apply(*m.writing, steps_of(*m.writing));
      m.writing.reset();
    }
    give(e.machine, std::move(*in));
  }
}

std::string raft_world::run(std::uint64_t fault_time) {
  while (failure_.empty() && !events_.empty() && events_.top().time < fault_time) {
    const event next = events_.top();
    events_.pop();
    now_ = next.time;
    ++event_count_;
    trace(next.time * 1000 + next.machine);
    handle(next);
  }
  return failure_.empty() ? finish() : failure_;
}

// Liveness: with all machines up and all messages delivered, the group elects, commits and
// converges within a bounded time.
std::string raft_world::finish() {
  faults_ = false;
  std::fill(side_.begin(), side_.end(), 0);
  swarm_.disk_max = std::min<std::uint64_t>(swarm_.disk_max, 20);
  swarm_.delay_max = std::min<std::uint64_t>(swarm_.delay_max, 20);
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    if (!machines_[i].core) start(i);
  }
  const std::uint64_t begin = now_;
  std::uint64_t next_proposal = now_ + 1500;
  while (failure_.empty()) {
    const event next = events_.top();
    events_.pop();
    now_ = next.time;
    ++event_count_;
    if (now_ > begin + k_liveness_time) return "liveness: the group did not converge" + states();
    if (!std::holds_alternative<fault>(*next.what)) handle(next);
    if (now_ < next_proposal) continue;
    const std::uint64_t before = truth_.ok_count();
    if (before > 0 && converged()) break;
    propose();
    next_proposal = now_ + 300;
  }
  for (std::uint64_t i = 0; i < machines_.size(); ++i)
    check_recording(i);
  return failure_.empty() ? truth_.check_history() : failure_;
}

std::string raft_world::states() const {
  std::string text;
  for (const machine& m : machines_) {
    const raft::core_status& s = m.last_status;
    text += fmt::format(
        "\n  node {}: role {} term {} leader {} log ({}, {}] of term {} commit {} visible {} "
        "durable {} voters {} joint {} asleep {} fenced {} writing {}",
        s.self.value(), static_cast<int>(s.as), s.term.value(), s.leader.value(),
        s.start.index.value(), s.last.index.value(), s.last.term.value(), s.commit.value(),
        s.visible.value(), s.durable.value(), s.config.voters.size(), s.config.joint(), s.quiesced,
        s.fenced, m.writing.has_value());
    for (const auto& [node, peer] : s.peers) {
      text += fmt::format(" [{}: match {} next {} state {}]", node.value(), peer.match.value(),
                          peer.next.value(), static_cast<int>(peer.state));
    }
  }
  return text;
}

bool raft_world::converged() {
  const auto leads = leader();
  if (!leads) return false;
  const raft::core& first = *machines_[*leads].core;
  if (first.members().joint() || first.commit_index() != first.log().last_index()) return false;
  for (const raft::node_id node : first.members().members()) {
    const raft::core_status& status = machines_[index_of(node)].last_status;
    if (status.visible != first.commit_index() || status.leader != first.leader()) return false;
  }
  return true;
}

void raft_world::fail(std::uint64_t index, const std::string& why) {
  if (!failure_.empty()) return;
  failure_ = fmt::format("time {}, node {}: {}", now_, node_of(index).value(), why);
}

void raft_world::trace(std::uint64_t value) {
  trace_hash_ = (trace_hash_ ^ value) * 0x100000001b3U;
}

}  // namespace cairn::testing
