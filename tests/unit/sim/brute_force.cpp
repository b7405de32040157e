#include "tests/unit/sim/brute_force.hpp"

#include <algorithm>

namespace cairn::testing {
namespace {

using namespace cairn::sim;

struct call {
  std::uint64_t invoked;
  std::uint64_t responded;
  const append_call* append = nullptr;
  const read_call* read = nullptr;
};

class search {
public:
  explicit search(const history& h) {
    for (const append_call& a : h.appends) {
      if (a.fate == append_fate::failed) continue;
      const auto end = a.fate == append_fate::ok ? a.responded : k_never;
      calls_.push_back({a.invoked, end, &a, nullptr});
    }
    for (const read_call& r : h.reads) {
      // What a read of the past shows has been true at any moment before its end.
      calls_.push_back({r.linearizable || r.final ? r.invoked : 0, r.responded, nullptr, &r});
    }
    done_.assign(calls_.size(), false);
  }

  bool run() {
    bool all = true;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      const bool may_be_missing =
          calls_[i].append != nullptr && calls_[i].append->fate == append_fate::unknown;
      all = all && (done_[i] || may_be_missing);
    }
    if (all) return true;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if (!done_[i] && may_be_next(i) && step(i)) return true;
    }
    return false;
  }

private:
  // Not if another call that is still to come has ended before this one began.
  [[nodiscard]] bool may_be_next(std::size_t i) const {
    for (std::size_t j = 0; j < calls_.size(); ++j) {
      if (j != i && !done_[j] && calls_[j].responded <= calls_[i].invoked) return false;
    }
    return true;
  }

  bool step(std::size_t i) {
    const call& c = calls_[i];
    const std::size_t length = log_.size();
    if (c.read != nullptr) {
      if (!shows(*c.read)) return false;
    } else {
      if (c.append->fate == append_fate::ok && c.append->base != length) return false;
      log_.insert(log_.end(), c.append->values.begin(), c.append->values.end());
    }
    done_[i] = true;
    const bool found = run();
    done_[i] = false;
    log_.resize(length);
    return found;
  }

  [[nodiscard]] bool shows(const read_call& read) const {
    if (read.end && *read.end != log_.size()) return false;
    if (read.final && read.from + read.records.size() != log_.size()) return false;
    for (std::size_t i = 0; i < read.records.size(); ++i) {
      const seen_record& record = read.records[i];
      if (record.offset != read.from + i || record.offset >= log_.size()) return false;
      if (log_[record.offset] != record.value) return false;
    }
    return true;
  }

  std::vector<call> calls_;
  std::vector<bool> done_;
  std::vector<std::uint64_t> log_;
};

}  // namespace

bool explainable(const history& h) {
  return search(h).run();
}

}  // namespace cairn::testing
