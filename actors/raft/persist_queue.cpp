#include "actors/raft/persist_queue.hpp"

#include "storage/base/check.hpp"
#include "storage/base/planted_bug.hpp"

#include <algorithm>
#include <limits>

namespace cairn::raft {

void persist_queue::truncated(log_index first_removed) {
  const log_index kept = prior(first_removed);
  if (!planted(10)) {
    durable_ = std::min(durable_, kept);
    if (flight_) flight_->valid_to = std::min(flight_->valid_to, kept);
  }
  if (handed_ <= kept) return;
  handed_ = kept;
  truncate_from_ = std::min(truncate_from_.value_or(first_removed), first_removed);
}

void persist_queue::replaced(snapshot content) {
  durable_ = log_index(0);
  if (flight_) flight_->valid_to = log_index(0);
  handed_ = content.last.index;
  truncate_from_.reset();
  install_ = std::move(content);
}

persist_ticket persist_queue::covering(log_index index) const {
  const persist_ticket state = covering_state();
  if (index <= durable_) return state;
  if (flight_ && index <= flight_->valid_to) return std::max(state, flight_->ticket);
  return next_ticket();
}

persist_ticket persist_queue::covering_state() const {
  if (state_) return next_ticket();
  return flight_ && flight_->with_state ? flight_->ticket : persist_ticket(0);
}

std::optional<persist_batch> persist_queue::issue(const log_view& log) {
  if (flight_) return std::nullopt;
  const bool with_entries = log.last_index() > handed_;
  if (!state_ && !truncate_from_ && !install_ && !with_entries) return std::nullopt;
  persist_batch batch;
  batch.ticket = last_ticket_ = next_ticket();
  batch.state = std::exchange(state_, std::nullopt);
  batch.install = std::exchange(install_, std::nullopt);
  batch.truncate_from = std::exchange(truncate_from_, std::nullopt);
  if (with_entries) {
    batch.entries = log.slice(handed_.next(), std::numeric_limits<std::uint64_t>::max());
  }
  handed_ = log.last_index();
  flight_ = flight{batch.ticket, handed_, batch.state.has_value()};
  return batch;
}

bool persist_queue::finish(persist_ticket ticket) {
  if (!flight_ || flight_->ticket != ticket) return false;
  durable_ = std::max(durable_, flight_->valid_to);
  CAIRN_CHECK(planted(10) || durable_ <= handed_, "durable {} beyond what was written {}",
              durable_.value(), handed_.value());
  done_ = ticket;
  flight_.reset();
  return true;
}

}  // namespace cairn::raft
