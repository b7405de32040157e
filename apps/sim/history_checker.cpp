#include "apps/sim/history_checker.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <unordered_map>

namespace cairn::sim {
namespace {

// Nothing is known of a time: earlier than every moment.
constexpr std::uint64_t k_before_all = 0;

struct bound {
  std::uint64_t time = k_before_all;
  bool by_read = false;
};

class checker {
public:
  explicit checker(const history& h) : history_(h) {}

  std::optional<violation> run() {
    note_appends();
    for (const read_call& read : history_.reads)
      note_read(read);
    complete_batches();
    check_ends();
    check_final_reads();
    check_times();
    return std::move(found_);
  }

private:
  struct origin {
    const append_call* call = nullptr;
    std::uint64_t position = 0;  // within the append
  };

  void fail(const char* rule, std::string detail) {
    if (!found_) found_ = violation{rule, std::move(detail)};
  }

  void note_appends() {
    for (const append_call& call : history_.appends) {
      for (std::uint64_t i = 0; i < call.values.size(); ++i) {
        if (!origins_.try_emplace(call.values[i], origin{&call, i}).second) {
          return fail("duplicate", fmt::format("value {} was sent twice", call.values[i]));
        }
      }
    }
    for (const append_call& call : history_.appends) {
      if (call.fate != append_fate::ok) continue;
      for (std::uint64_t i = 0; i < call.values.size(); ++i)
        place(call.base + i, call.values[i], "an acknowledgement");
      length_ = std::max(length_, call.base + call.values.size());
    }
  }

  // S1, S2, S3: one value an offset, one offset a value, and only what somebody has sent.
  void place(std::uint64_t offset, std::uint64_t value, const std::string& by) {
    if (found_) return;
    const auto source = origins_.find(value);
    if (source == origins_.end()) {
      return fail("origin", fmt::format("{} shows value {} at offset {}, which nobody sent", by,
                                        value, offset));
    }
    if (source->second.call->fate == append_fate::failed) {
      return fail("origin",
                  fmt::format("{} shows value {} at offset {}, which was reported as not done", by,
                              value, offset));
    }
    const auto [at, first] = values_.try_emplace(offset, value);
    if (!first && at->second != value) {
      return fail("agreement", fmt::format("offset {} holds {} and, says {}, {}", offset,
                                           at->second, by, value));
    }
    const auto [where, once] = offsets_.try_emplace(value, offset);
    if (!once && where->second != offset) {
      return fail("duplicate", fmt::format("value {} is at offset {} and, says {}, at {}", value,
                                           where->second, by, offset));
    }
    length_ = std::max(length_, offset + 1);
  }

  // S4, S6.
  void note_read(const read_call& read) {
    std::uint64_t next = read.from;
    for (const seen_record& record : read.records) {
      if (record.offset != next) {
        return fail("density", fmt::format("{} returned offset {} where {} belongs", read.where,
                                           record.offset, next));
      }
      place(record.offset, record.value, read.where);
      ++next;
    }
    if (!read.end) return;
    if (next > *read.end && !read.records.empty()) {
      return fail("read past end", fmt::format("{} returned offset {} and said that the end is {}",
                                               read.where, next - 1, *read.end));
    }
    length_ = std::max(length_, *read.end);
  }

  // S5: who has one record of an append has all of them, side by side.
  void complete_batches() {
    if (found_) return;
    const auto known = offsets_;
    for (const auto& [value, offset] : known) {
      const origin& from = origins_.at(value);
      if (from.call->values.size() == 1) continue;
      if (offset < from.position) {
        return fail("batch", fmt::format("value {} at offset {} is number {} of its append", value,
                                         offset, from.position));
      }
      const std::uint64_t base = offset - from.position;
      for (std::uint64_t i = 0; i < from.call->values.size(); ++i) {
        const std::uint64_t other = from.call->values[i];
        const auto at = values_.find(base + i);
        const auto where = offsets_.find(other);
        const bool torn = (at != values_.end() && at->second != other) ||
                          (where != offsets_.end() && where->second != base + i);
        if (torn) {
          return fail("batch", fmt::format("value {} at offset {} is without its neighbour {}",
                                           value, offset, other));
        }
        place(base + i, other, "a batch");
      }
    }
  }

  // The append that holds `offset` although it does not begin there.
  [[nodiscard]] bool inside_batch(std::uint64_t offset) const {
    const auto at = values_.find(offset);
    return at != values_.end() && origins_.at(at->second).position != 0;
  }

  void check_ends() {
    for (const read_call& read : history_.reads) {
      if (found_) return;
      if (read.end && inside_batch(*read.end)) {
        return fail("batch", fmt::format("{} said that the end is {}, in the middle of an append",
                                         read.where, *read.end));
      }
    }
  }

  // S7, given that all reads agree: each node shows everything up to the same end.
  void check_final_reads() {
    for (const read_call& read : history_.reads) {
      if (found_) return;
      if (!read.final) continue;
      const std::uint64_t end = read.from + read.records.size();
      if (end == length_ && (!read.end || *read.end == length_)) continue;
      return fail(
          "final read",
          fmt::format("{} ends at {} (it says {}), but {} records were acknowledged or seen",
                      read.where, end, read.end.value_or(end), length_));
    }
  }

  void bound_by_appends() {
    for (const append_call& call : history_.appends) {
      if (call.fate == append_fate::failed || call.values.empty()) continue;
      const auto first = offsets_.find(call.values.front());
      if (first == offsets_.end()) continue;
      for (std::uint64_t i = 0; i < call.values.size(); ++i) {
        const std::uint64_t offset = first->second + i;
        raise(offset, {call.invoked, false});
        if (call.fate == append_fate::ok) lower(offset, {call.responded, false});
      }
    }
  }

  void bound_by_reads() {
    for (const read_call& read : history_.reads) {
      const std::uint64_t seen = read.records.empty() ? 0 : read.records.back().offset + 1;
      const std::uint64_t length = std::max(seen, read.end.value_or(0));
      if (length > 0) lower(length - 1, {read.responded, true});
      if (read.linearizable && read.end && *read.end < length_) {
        raise(*read.end, {read.invoked, true});
      }
    }
  }

  void raise(std::uint64_t offset, bound to) {
    if (to.time > lo_[offset].time) lo_[offset] = to;
  }
  void lower(std::uint64_t offset, bound to) {
    if (to.time < hi_[offset].time) hi_[offset] = to;
  }

  // Records of one append come to be in one moment.
  void join_batches() {
    for (const append_call& call : history_.appends) {
      if (call.values.size() < 2) continue;
      const auto first = offsets_.find(call.values.front());
      if (first == offsets_.end()) continue;
      const auto begin = static_cast<std::ptrdiff_t>(first->second);
      const auto end = begin + static_cast<std::ptrdiff_t>(call.values.size());
      const auto earlier = [](const bound& a, const bound& b) { return a.time < b.time; };
      const bound low = *std::max_element(lo_.begin() + begin, lo_.begin() + end, earlier);
      const bound high = *std::min_element(hi_.begin() + begin, hi_.begin() + end, earlier);
      std::fill(lo_.begin() + begin, lo_.begin() + end, low);
      std::fill(hi_.begin() + begin, hi_.begin() + end, high);
    }
  }

  [[nodiscard]] static const char* name_of(const bound& low, const bound& high) {
    if (low.by_read) return high.by_read ? "non-monotonic reads" : "stale read";
    return high.by_read ? "read from the future" : "order inversion";
  }

  void check_times() {
    if (found_) return;
    if (length_ > origins_.size()) {
      return fail("hole", fmt::format("a length of {} was stated, but only {} records were sent",
                                      length_, origins_.size()));
    }
    lo_.assign(length_, {});
    hi_.assign(length_, {k_never, false});
    bound_by_appends();
    bound_by_reads();
    join_batches();
    for (std::uint64_t i = length_; i-- > 1;) {
      if (hi_[i].time < hi_[i - 1].time) hi_[i - 1] = hi_[i];
    }
    bound low;
    for (std::uint64_t i = 0; i < length_; ++i) {
      if (lo_[i].time > low.time) low = lo_[i];
      if (low.time < hi_[i].time) continue;
      return fail(name_of(low, hi_[i]), fmt::format("offset {}: not there yet at {}, there at {}",
                                                    i, low.time, hi_[i].time));
    }
    check_holes();
  }

  // Offsets that are there, as somebody has stated, but that nobody has seen: each must be one of
  // the records whose fate is unknown, sent before the offset was there. hi_ rises with the offset,
  // so the holes can be filled first come, first served. (Whether the batches among them also fit
  // side by side is not looked at: that would be a puzzle, and a final read leaves no hole.)
  void check_holes() {
    std::vector<std::uint64_t> sent;
    for (const append_call& call : history_.appends) {
      if (call.fate != append_fate::unknown || call.values.empty()) continue;
      if (!offsets_.contains(call.values.front())) {
        sent.insert(sent.end(), call.values.size(), call.invoked);
      }
    }
    std::sort(sent.begin(), sent.end());
    std::uint64_t used = 0;
    for (std::uint64_t i = 0; i < length_; ++i) {
      if (values_.contains(i)) continue;
      if (used == sent.size() || sent[used] >= hi_[i].time) {
        return fail("hole", fmt::format("offset {} must be there at {}, but no append is left that "
                                        "could have put a record there",
                                        i, hi_[i].time));
      }
      ++used;
    }
  }

  const history& history_;
  std::optional<violation> found_;
  std::unordered_map<std::uint64_t, origin> origins_;         // of values
  std::unordered_map<std::uint64_t, std::uint64_t> values_;   // by offset
  std::unordered_map<std::uint64_t, std::uint64_t> offsets_;  // by value
  std::uint64_t length_ = 0;                                  // of the log, as far as known
  std::vector<bound> lo_;
  std::vector<bound> hi_;
};

}  // namespace

std::optional<violation> find_violation(const history& h) {
  return checker(h).run();
}

}  // namespace cairn::sim
