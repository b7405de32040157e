#include "actors/raft/progress.hpp"

#include "storage/base/check.hpp"

#include <algorithm>

namespace cairn::raft {

bool progress::may_send(std::uint64_t window_bytes_max) const {
  if (paused_) return false;
  switch (state_) {
    case send_state::probe:
      return probe_step_ != probe_step::waiting;
    case send_state::replicate:
      return window_bytes_ < window_bytes_max;
    case send_state::snapshot:
      return false;
  }
  return false;
}

void progress::sent(log_index last, std::uint64_t size_bytes) {
  if (state_ == send_state::probe) {
    probe_step_ = probe_step::waiting;
    return;
  }
  CAIRN_CHECK(state_ == send_state::replicate, "append sent to a peer that waits for a snapshot");
  if (last < next_) return;
  next_ = last.next();
  window_.push_back({last, size_bytes});
  window_bytes_ += size_bytes;
}

void progress::resume() {
  paused_ = false;
  if (probe_step_ == probe_step::waiting) probe_step_ = probe_step::retry;
}

bool progress::acknowledged(log_index index) {
  const bool news = index > match_;
  match_ = std::max(match_, index);
  next_ = std::max(next_, match_.next());
  while (!window_.empty() && window_.front().last <= match_) {
    window_bytes_ -= window_.front().size_bytes;
    window_.pop_front();
  }
  const bool caught =
      state_ == send_state::probe || (state_ == send_state::snapshot && match_ >= snapshot_index_);
  if (caught) {
    // What was sent as a probe beyond the acknowledged part is sent again: it may have been lost.
    state_ = send_state::replicate;
    next_ = match_.next();
    clear_window();
    request = 0;
    snapshot_sent = false;
  }
  return news;
}

bool progress::refused(log_index prev, log_index agreement) {
  if (state_ == send_state::snapshot || prev <= match_) return false;
  if (state_ == send_state::probe && prev.next() != next_) return false;
  enter_probe(std::max(match_.next(), std::min(agreement.next(), prev)));
  return true;
}

void progress::enter_probe(log_index next) {
  CAIRN_CHECK(next > match_, "next {} at or below match {}", next.value(), match_.value());
  state_ = send_state::probe;
  next_ = next;
  probe_step_ = probe_step::fresh;
  request = 0;
  snapshot_sent = false;
  clear_window();
}

void progress::enter_snapshot(std::uint64_t request_number, log_index at_least) {
  state_ = send_state::snapshot;
  snapshot_index_ = at_least;
  request = request_number;
  snapshot_sent = false;
  snapshot_ticks = 0;
  clear_window();
}

void progress::clear_window() {
  window_.clear();
  window_bytes_ = 0;
}

}  // namespace cairn::raft
