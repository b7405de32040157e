// Appends with an identity, on the leader: session_overlay.hpp judges, this carries it out.

#include "actors/replica.hpp"
#include "storage/base/check.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

proto::append_stamp stamp_in(const append_item& item) {
  byte_span rest = item.payload.span();
  const auto stamp = proto::next_stamp(rest);
  CAIRN_CHECK(stamp.ok(), "an append was let in whose stamp is damaged");
  return *stamp;
}

}  // namespace

// Before an entry of its own term is committed a leader does not know what of the log before it is;
// and what it has not given to storage yet is not in the overlay.
bool replica::may_judge() const {
  const raft::log_view& log = core_.log();
  return log.term_of(core_visible_) == core_.term() && sessions_.end() == log.last_index();
}

// False: it has been answered, or put aside.
bool replica::becomes_entry(waiting_item& item) {
  if (item.item.deadline_ns < now_.monotonic_ns) {
    refuse(item, errc::unavailable, "the time of the request ran out before its write began");
    return false;
  }
  if (!may_judge()) {
    put_aside(std::move(item));
    return false;
  }
  const session_judgement judged = sessions_.judge(stamp_in(item.item));
  switch (judged.verdict) {
    case session_verdict::append:
      item.twin_under_way = false;  // it is gone
      return true;
    case session_verdict::wait:
      item.twin_under_way = judged.same_under_way;
      put_aside(std::move(item));
      return false;
    case session_verdict::replay:
      replay(item, *judged.receipt);
      return false;
    case session_verdict::key_reused:
    case session_verdict::sequence_gap:
    case session_verdict::producer_fenced:
    case session_verdict::sequence_too_old:
      refuse_numbered(item, judged);
      return false;
  }
  CAIRN_CHECK(false, "no such verdict");
  return false;
}

void replica::expect(const append_item& item) {
  sessions_.expect(stamp_in(item));
}

void replica::replay(const waiting_item& item, const session_receipt& receipt) {
  sessions_.count_replay();
  open_item out{item.from, {}, item.item.payload.size(), item.item.deadline_ns};
  out.outcome = {.id = item.item.id,
                 .code = errc::none,
                 .detail = {},
                 .offset = receipt.offset,
                 .count = receipt.count,
                 .timestamp_ms = receipt.timestamp_ms,
                 .term = receipt.term,
                 .index = receipt.index,
                 .replayed = true};
  answer_when_visible(std::move(out), facts_at(receipt.index));
}

// What is committed stays so: that needs nobody's word. A gap does, for somebody else may lead by
// now and have taken what is missing.
void replica::refuse_numbered(const waiting_item& item, const session_judgement& judged) {
  open_item out{item.from, {}, item.item.payload.size(), item.item.deadline_ns};
  out.outcome.id = item.item.id;
  switch (judged.verdict) {
    case session_verdict::sequence_gap:
      out.outcome.code = errc::sequence_gap;
      out.outcome.expected_seq = judged.expected_seq;
      out.outcome.detail = fmt::format("the next append of this producer and epoch is number {}",
                                       judged.expected_seq);
      gaps_.push_back(std::move(out));
      return;
    case session_verdict::producer_fenced:
      return fail(std::move(out), errc::producer_fenced,
                  "a newer epoch of this producer has begun");
    case session_verdict::sequence_too_old:
      out.outcome.code = errc::sequence_too_old;
      out.outcome.expected_seq = judged.expected_seq;
      out.outcome.detail = "this append was stored, too long ago to say where";
      return answer(out, {});
    default:
      return fail(std::move(out), errc::key_reused,
                  "another body was stored under this key or number");
  }
}

void replica::put_aside(waiting_item item) {
  aside_.push_back(std::move(item));
}

// In front of all that has come since, in their order.
void replica::take_up_again() {
  if (aside_.empty() || (leads() && !judge_again_)) return;
  judge_again_ = false;
  waiting_.insert(waiting_.begin(), std::make_move_iterator(aside_.begin()),
                  std::make_move_iterator(aside_.end()));
  aside_.clear();
}

void replica::sweep_aside() {
  judge_again_ = true;
  for (waiting_item& item : std::exchange(aside_, {})) {
    if (item.item.deadline_ns < now_.monotonic_ns) {
      refuse(item, errc::unavailable,
             "the time of the request ran out while the same append was under way");
    } else {
      aside_.push_back(std::move(item));
    }
  }
}

void replica::settle_sessions() {
  const term_id term = core_.log().term_of(core_visible_).value_or(term_id{});
  if (sessions_.settle(core_visible_)) judge_again_ = true;
  if (term != settled_term_) judge_again_ = true;
  settled_term_ = term;
}

void replica::ask_for_checkpoint() {
  if (core_.fenced()) return;
  out_.checkpoint =
      sessions_.take_checkpoint(config_.checkpoint_bytes, config_.idle_checkpoint_bytes);
}

}  // namespace cairn::actors
