#include "apps/sim/world.hpp"

#include "apps/sim/history_checker.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::sim {
namespace {

/// Once all is well: elect, commit, converge.
constexpr std::uint64_t k_liveness_ns = 60 * k_ns_per_s;
/// Every append, read and request of a node that goes on is answered by then.
constexpr std::uint64_t k_answer_ns = 30 * k_ns_per_s;

}  // namespace

world::world(std::uint64_t seed, const swarm& config)
    : seed_(seed),
      swarm_(config),
      random_(seed * 0x9e3779b97f4a7c15U + 1),
      time_(random_.next()),
      net_(time_, random_.next(), config.nodes, config.net,
           [this](const packet& p) { deliver(p); }),
      clients_(config.clients) {
  for (std::uint64_t i = 0; i < config.nodes; ++i) {
    machines_.push_back(std::make_unique<machine>(random_.next(), raft::node_id(i + 1)));
    const std::uint64_t skew = random_.below(2 * config.clock_skew_percent + 1);
    machines_.back()->tick_ns =
        500'000 * (100 + skew - config.clock_skew_percent);  // 50 ms and a little
  }
  // Changes of members, and a minority that may be damaged for good, together: too much.
  flips_max_ = config.member_ms == 0 ? (config.voters - 1) / 2 : 0;
}

world::~world() = default;

actors::log_store_config world::store_config() const {
  actors::log_store_config config;
  config.directory = k_log_directory;
  config.log.segment_bytes = swarm_.segment_bytes;
  config.log.index_bytes = 8192;
  config.log.prefill_bytes = 4096;
  config.log.spare_segments_max = 0;
  if (swarm_.trim_ms != 0) config.retention.bytes = 3 * swarm_.segment_bytes;
  return config;
}

result<std::unique_ptr<actors::log_store>> world::open_store(testing::sim_env& disk) const {
  storage::recovery_report report;
  return actors::log_store::open(disk, store_config(),
                                 std::make_shared<actors::log_gate>(actors::log_limits{}),
                                 std::make_shared<actors::log_observer>(), report);
}

actors::replica_config world::replica_config(std::uint64_t index) const {
  actors::replica_config config;
  config.core.self = machines_[index]->node;
  config.core.quiesce_after_ticks = swarm_.quiesce ? 15 : 0;
  config.tick_ns = 50'000'000;
  if (swarm_.checkpoint_bytes != 0) config.checkpoint_bytes = swarm_.checkpoint_bytes;
  if (!swarm_.small_windows) return config;
  // Down to one entry a message, one message at a time.
  config.core.append_bytes_max = swarm_.append_bytes;
  config.core.peer_window_bytes = 3 * swarm_.append_bytes;
  config.core.window_bytes_max = 2000;
  config.core.uncommitted_bytes_max = 20'000;
  config.core.promote_lag_entries_max = 5;
  return config;
}

// A new group: the first voters hold one configuration entry, the others nothing.
void world::bootstrap() {
  raft::configuration first;
  for (std::uint64_t i = 0; i < swarm_.voters; ++i)
    first.voters.push_back(machines_[i]->node);
  raft::persist_batch batch;
  batch.ticket = raft::persist_ticket(1);
  batch.state = raft::hard_state{term_id(1), raft::k_nobody};
  raft::entry entry;
  entry.index = log_index(1);
  entry.term = term_id(1);
  entry.kind = raft::entry_kind::config;
  entry.payload = raft::encode(first);
  entry.timestamp_ms = k_epoch_ms;
  batch.entries.push_back(std::move(entry));
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    machine& m = *machines_[i];
    set_clocks(m);
    if (i < swarm_.voters) {
      auto store = open_store(m.disk);
      if (!store) return fail(i, "cannot make a log: " + store.error().detail);
      const status done = (*store)->write(batch);
      if (!done) return fail(i, "cannot write the first entry: " + done.error().detail);
      m.durable.reload();
      m.sure_to = m.durable.last();
    }
    start(i);
  }
}

void world::note(std::uint64_t index, std::string_view what, std::uint64_t a, std::uint64_t b,
                 std::uint64_t c) {
  trace_.add(time_.now_ns(), index + 1, what, a, b, c);
}

void world::fail(std::uint64_t index, const std::string& why) {
  if (!failure_.empty()) return;
  failure_ = fmt::format("{:.6f} s, {}: {}", static_cast<double>(time_.now_ns()) / 1e9,
                         index == k_world ? "world" : fmt::format("node {}", index + 1), why);
}

run_report world::run() {
  bootstrap();
  for (std::uint64_t i = 0; i < clients_.size(); ++i)
    client_soon(i);
  plan(fault_kind::power_cut, swarm_.power_cut_ms);
  plan(fault_kind::kill, swarm_.kill_ms);
  plan(fault_kind::pause, swarm_.pause_ms);
  plan(fault_kind::partition, swarm_.partition_ms);
  plan(fault_kind::isolate, swarm_.isolate_ms);
  plan(fault_kind::clog, swarm_.clog_ms);
  plan(fault_kind::sync_error, swarm_.sync_error_ms);
  plan(fault_kind::disk_full, swarm_.disk_full_ms);
  plan(fault_kind::disk_hang, swarm_.disk_hang_ms);
  plan(fault_kind::bit_flip, swarm_.bit_flip_ms);
  plan(fault_kind::clock_jump, swarm_.clock_jump_ms);
  plan(fault_kind::members, swarm_.member_ms);
  plan(fault_kind::transfer, swarm_.transfer_ms);
  plan(fault_kind::trim, swarm_.trim_ms);
  const std::uint64_t fault_end_ns = swarm_.fault_ms * k_ns_per_ms;
  while (failure_.empty() && time_.run_one(fault_end_ns)) {
  }
  if (failure_.empty()) calm_down();
  if (failure_.empty()) wait_for_agreement();
  if (failure_.empty()) check_answers();
  if (failure_.empty()) check_sessions();
  if (failure_.empty()) check_disks();
  if (failure_.empty()) read_everything();
  if (failure_.empty()) check_history();

  run_report report;
  report.broken = failure_;
  report.trace_hash = trace_.hash();
  report.event_count = time_.event_count();
  report.virtual_ns = time_.now_ns();
  report.appends_ok = appends_ok_;
  report.replays = replays_;
  report.sessions_compared = stored_known_;
  report.reads_ok = history_.reads.size();
  report.leaders = truth_.leader_count();
  report.restarts = restarts_;
  for (const append_call& append : history_.appends) {
    if (append.fate == append_fate::failed) ++report.appends_failed;
    if (append.fate == append_fate::unknown) ++report.appends_unknown;
  }
  if (!failure_.empty()) report.last_events = trace_.text() + states();
  return report;
}

void world::calm_down() {
  note(k_world, "all is well from now on");
  faults_ = false;
  swarm_.disk_delay_us = std::min<std::uint64_t>(swarm_.disk_delay_us, 3000);
  swarm_.down_ms = 1;
  ++cut_number_;
  net_.heal(true);
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    machine& m = *machines_[i];
    m.disk.clear_faults();
    m.disk.set_capacity_bytes(std::nullopt);
    m.disk_free_ns = std::min(m.disk_free_ns, time_.now_ns() + 6 * k_ns_per_s);
    resume(i);
    start(i);
  }
  links_changed();
}

void world::wait_for_agreement() {
  const std::uint64_t end_ns = time_.now_ns() + k_liveness_ns;
  const std::uint64_t acknowledged = appends_ok_;
  std::uint64_t look_ns = time_.now_ns();
  bool quiet = false;
  while (failure_.empty()) {
    if (!time_.run_one(end_ns)) {
      return fail(k_world, "liveness: the group did not agree in time");
    }
    if (time_.now_ns() < look_ns) continue;
    look_ns = time_.now_ns() + 20 * k_ns_per_ms;
    // Clients go on until something new is acknowledged, then they stop.
    if (!quiet && appends_ok_ > acknowledged && leader()) {
      quiet = true;
      swarm_.think_ms = 2 * k_liveness_ns / k_ns_per_ms;
    }
    if (quiet && calls_.empty() && converged()) return;
  }
}

bool world::converged() const {
  const auto leads = leader();
  if (!leads) return false;
  const raft::core& first = machines_[*leads]->replica->core();
  if (first.members().joint() || first.commit_index() != first.log().last_index()) return false;
  for (const raft::node_id node : first.members().members()) {
    const machine& m = *machines_[node.value() - 1];
    if (m.ruined) continue;
    if (!m.up() || m.writing) return false;
    if (m.status.visible != first.commit_index() || m.status.leader != first.leader()) return false;
    if (m.replica->range().next != truth_.end()) return false;
  }
  return true;
}

void world::check_answers() {
  for (const auto& [call, open] : calls_) {
    if (time_.now_ns() - open.begun_ns > k_answer_ns) {
      return fail(open.machine, fmt::format("call {} was never answered", call));
    }
  }
}

// After a clean or an unclean end, storage finds what it had. Who is no member any more, nobody has
// waited for: it may be in the middle of a write.
void world::check_disks() {
  for (const auto& m : machines_) {
    if (!m->up() || m->writing || m->unfinished) continue;
    const auto copy = m->disk.clone_durable(seed_);
    const auto opened = open_store(*copy);
    if (!opened) return fail(m->node.value() - 1, "would not start: " + opened.error().detail);
    const auto found = (*opened)->boot_state();
    if (!found) return fail(m->node.value() - 1, "would not start: " + found.error().detail);
    const raft::boot_state& boot = *found;
    if (boot.last != m->status.durable || boot.next_offset != m->status.next_offset) {
      return fail(m->node.value() - 1,
                  fmt::format("would start with entry {}, offset {}; its last is {}, offset {}",
                              boot.last.value(), boot.next_offset.value(),
                              m->status.durable.value(), m->status.next_offset.value()));
    }
  }
}

void world::read_everything() {
  const auto leads = leader();
  for (const raft::node_id node : machines_[*leads]->replica->members().members()) {
    machine& m = *machines_[node.value() - 1];
    if (m.ruined) continue;
    const auto reader = m.store->reader();
    read_call read;
    read.invoked = ++history_time_;
    read.from = reader->lowest_offset().value();
    read.end = reader->end_offset().value();
    read.final = read.linearizable = true;
    read.where = fmt::format("node {} at the end", node.value());
    record_offset next(read.from);
    while (next.value() < *read.end) {
      auto records = read_records(m, next, record_offset(*read.end), 1000);
      if (!records) return fail(node.value() - 1, "a final read failed");
      if (records->empty()) return fail(node.value() - 1, "a final read got nothing");
      read.records.insert(read.records.end(), records->begin(), records->end());
      next = record_offset(read.records.back().offset + 1);
    }
    read.responded = ++history_time_;
    history_.reads.push_back(std::move(read));
  }
}

void world::check_history() {
  const auto found = find_violation(history_);
  if (found) fail(k_world, "history: " + found->rule + ": " + found->detail);
}

std::string world::states() const {
  std::string text;
  for (const auto& m : machines_) {
    const raft::core_status& s = m->status;
    text += fmt::format(
        "node {}: {} role {} term {} leader {} log ({}, {}] of term {} commit {} visible {} "
        "durable "
        "{} voters {} joint {} asleep {} fenced {} writing {}\n",
        m->node.value(), m->ruined ? "ruined" : (m->up() ? "up" : "down"), static_cast<int>(s.as),
        s.term.value(), s.leader.value(), s.start.index.value(), s.last.index.value(),
        s.last.term.value(), s.commit.value(), s.visible.value(), s.durable.value(),
        s.config.voters.size(), s.config.joint(), s.quiesced, s.fenced, m->writing != nullptr);
    for (const auto& [node, peer] : s.peers) {
      text += fmt::format("  peer {}: match {} next {} state {} window {}\n", node.value(),
                          peer.match.value(), peer.next.value(), static_cast<int>(peer.state),
                          peer.window_bytes);
    }
  }
  return text;
}

}  // namespace cairn::sim
