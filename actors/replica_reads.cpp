// What needs the leader's word before it is said: linearizable reads, and "another was first".

#include "actors/replica.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {

void replica::barrier(client_token client, std::uint64_t id, std::uint64_t deadline_ns) {
  const pending_barrier asked{client, id, std::min(deadline_ns, now_.monotonic_ns + hold_ns())};
  ++barrier_count_;
  if (const std::string why = why_not(); !why.empty()) {
    return end_barrier(asked, errc::unavailable, why);
  }
  if (barrier_count_ > config_.barriers_max) {
    return end_barrier(
        asked, errc::overloaded,
        fmt::format("{} linearizable reads wait for the leader already", config_.barriers_max));
  }
  waiting_barriers_.push_back(asked);
  ask_again_ = true;
}

void replica::end_barrier(const pending_barrier& barrier, errc code, std::string detail) {
  --barrier_count_;
  out_.barriers.push_back({.client = barrier.client,
                           .id = barrier.id,
                           .code = code,
                           .detail = std::move(detail),
                           .end = published_});
}

// One round for all that came in since the last one.
void replica::ask_reads() {
  if (new_misses_ && !leads()) refuse_misses(std::move(*std::exchange(new_misses_, {})));
  const bool ask = ask_again_ && core_.leader() != raft::k_nobody && !waiting_barriers_.empty();
  if (!ask && !new_misses_) return;
  ask_again_ = false;
  const raft::read_id id(++last_read_);
  rounds_.emplace(id, read_round{std::exchange(waiting_barriers_, {}),
                                 std::exchange(new_misses_, std::nullopt)});
  core_.step(raft::read_index{id});
}

void replica::take_reads(const std::vector<raft::read_answer>& answers) {
  for (const raft::read_answer& a : answers) {
    auto found = rounds_.extract(a.id);
    if (found.empty()) continue;
    read_round& round = found.mapped();
    for (const pending_barrier& b : round.barriers) {
      if (a.ok) {
        confirmed_.emplace(a.index, b);
      } else {
        waiting_barriers_.push_back(b);  // asked for again with the next tick or leader
      }
    }
    if (!round.misses) continue;
    if (a.ok) {
      confirmed_misses_.push_back(std::move(*round.misses));
    } else {
      refuse_misses(std::move(*round.misses));
    }
  }
}

void replica::settle_reads() {
  while (!confirmed_.empty() && confirmed_.begin()->first <= visible_) {
    end_barrier(confirmed_.begin()->second, errc::none, {});
    confirmed_.erase(confirmed_.begin());
  }
  for (pending_misses& misses : std::exchange(confirmed_misses_, {})) {
    if (!leads() || core_.term() != misses.term) {
      refuse_misses(std::move(misses));
    } else if (core_.commit_index() < misses.judged_at) {
      confirmed_misses_.push_back(std::move(misses));
    } else {
      for (const open_item& item : misses.items)
        answer(item, {});
    }
  }
}

// What they were held against may not have come to be. Nothing of them was stored in any case.
void replica::refuse_misses(pending_misses misses) {
  for (open_item& item : misses.items)
    fail(std::move(item), errc::unavailable, "the lead was lost before the append was judged");
}

void replica::sweep_barriers() {
  const auto late = [this](const pending_barrier& barrier) {
    if (barrier.give_up_ns >= now_.monotonic_ns) return false;
    end_barrier(barrier, errc::unavailable, "no leader has confirmed the end of the log in time");
    return true;
  };
  std::erase_if(waiting_barriers_, late);
  for (auto& [id, round] : rounds_)
    std::erase_if(round.barriers, late);
  std::erase_if(confirmed_, [&late](const auto& known) { return late(known.second); });
}

void replica::end_all_barriers(const std::string& reason) {
  const auto end = [this, &reason](const pending_barrier& barrier) {
    end_barrier(barrier, errc::unavailable, reason);
    return true;
  };
  std::erase_if(waiting_barriers_, end);
  for (auto& [id, round] : rounds_)
    std::erase_if(round.barriers, end);
  std::erase_if(confirmed_, [&end](const auto& known) { return end(known.second); });
}

}  // namespace cairn::actors
