// Linearizable reads without writing to the log: dissertation 6.4. No leases: a clock that jumps
// or stands still would make them wrong.

#include "actors/raft/core.hpp"
#include "actors/raft/quorum.hpp"
#include "storage/base/planted_bug.hpp"

#include <utility>

namespace cairn::raft {

void core::on(const read_index& in) {
  const bool full = forwarded_reads_.size() >= config_.pending_reads_max;
  if (role_ == role::leader) {
    add_read(config_.self, incarnation_, in.id);
  } else if (leader_ == k_nobody || full) {
    out_.reads.push_back({in.id, false, {}});
  } else {
    const bool added = forwarded_reads_.emplace(in.id, 0).second;
    CAIRN_CHECK(added, "read {} was asked for twice", in.id.value());
    send(leader_, read_index_request{incarnation_, in.id});
  }
}

void core::tick_reads() {
  for (auto it = forwarded_reads_.begin(); it != forwarded_reads_.end();) {
    if (++it->second < config_.election_ticks) {
      ++it;
      continue;
    }
    out_.reads.push_back({it->first, false, {}});
    it = forwarded_reads_.erase(it);
  }
}

void core::add_read(node_id reader, std::uint64_t incarnation, read_id id) {
  pending_read read{reader, incarnation, id, commit_, 0};
  if (reads_.size() + barred_reads_.size() >= config_.pending_reads_max) {
    return answer(read, false);
  }
  wake_up();
  idle_ticks_ = 0;
  // Before the first commit of our term, commit_ may lag behind what the last leader acknowledged.
  if (!committed_in_term() && !planted(22)) {
    barred_reads_.push_back(read);
    return;
  }
  read.round = round_ + 1;
  round_due_ = true;
  reads_.push_back(read);
}

void core::start_barred_reads() {
  for (pending_read read : std::exchange(barred_reads_, {})) {
    read.index = commit_;
    read.round = round_ + 1;
    round_due_ = true;
    reads_.push_back(read);
  }
}

// One round of heartbeats serves all reads that came in before it. Its number is never used again
// in this term, so a late answer to an earlier round confirms nothing of this one.
void core::begin_round() {
  round_due_ = false;
  heartbeat_elapsed_ticks_ = 0;
  broadcast_heartbeat();
  settle_reads();
}

void core::settle_reads() {
  while (!reads_.empty() && reads_.front().round <= round_) {
    const std::uint64_t round = reads_.front().round;
    const bool confirmed = is_quorum(members(), [this, round](node_id node) {
      return node == config_.self || peers_.at(node).round >= round;
    });
    if (!confirmed && !planted(21)) return;
    answer(reads_.front(), true);
    reads_.pop_front();
  }
}

void core::answer(const pending_read& read, bool ok) {
  if (read.reader == config_.self) {
    out_.reads.push_back({read.id, ok, read.index});
  } else {
    send(read.reader, read_index_response{read.incarnation, read.id, ok, read.index});
  }
}

void core::fail_reads() {
  for (const pending_read& read : std::exchange(reads_, {}))
    answer(read, false);
  for (const pending_read& read : std::exchange(barred_reads_, {}))
    answer(read, false);
}

void core::fail_forwarded_reads() {
  for (const auto& [id, age] : std::exchange(forwarded_reads_, {})) {
    out_.reads.push_back({id, false, {}});
  }
}

void core::handle(const message& m, const read_index_request& body) {
  if (role_ == role::leader) return add_read(m.from, body.incarnation, body.id);
  send(m.from, read_index_response{body.incarnation, body.id, false, {}});
}

void core::handle(const message&, const read_index_response& body) {
  if (body.incarnation != incarnation_ || forwarded_reads_.erase(body.id) == 0) return;
  out_.reads.push_back({body.id, body.ok, body.index});
}

}  // namespace cairn::raft
