#include "actors/raft/log_view.hpp"

#include "storage/base/check.hpp"

#include <algorithm>

namespace cairn::raft {

log_view::log_view(log_position start, record_offset start_offset, std::vector<term_run> runs,
                   log_index last, record_offset next_offset)
    : start_(start),
      start_offset_(start_offset),
      last_(last),
      next_offset_(next_offset),
      runs_(std::move(runs)) {
  CAIRN_CHECK(
      next_offset_ >= start_offset_ && (last_ > start_.index || next_offset_ == start_offset_),
      "offsets [{}, {}) of entries ({}, {}]", start_offset_.value(), next_offset_.value(),
      start_.index.value(), last_.value());
  CAIRN_CHECK(last_ >= start_.index, "log ends at {} before its start {}", last_.value(),
              start_.index.value());
  CAIRN_CHECK(runs_.empty() == (last_ == start_.index), "{} term runs for {} entries", runs_.size(),
              last_.since(start_.index));
  term_run before{start_.index, start_.term};
  for (const term_run& run : runs_) {
    const bool first = &run == &runs_.front();
    CAIRN_CHECK(first ? run.first == start_.index.next() && run.term >= start_.term
                      : run.first > before.first && run.term > before.term,
                "term run {} at {} is out of order", run.term.value(), run.first.value());
    before = run;
  }
}

std::optional<term_id> log_view::term_of(log_index index) const {
  if (index == start_.index) return start_.term;
  if (index < start_.index || index > last_) return std::nullopt;
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), index,
                       [](log_index wanted, const term_run& run) { return wanted < run.first; });
  CAIRN_CHECK(after != runs_.begin(), "no term run covers index {}", index.value());
  return std::prev(after)->term;
}

bool log_view::not_newer_than(log_position other) const {
  const log_position mine = last();
  return other.term > mine.term || (other.term == mine.term && other.index >= mine.index);
}

std::optional<record_offset> log_view::offset_after(log_index index) const {
  if (index == last_) return next_offset_;
  if (index == start_.index) return start_offset_;
  if (index < prior(window_first()) || index > last_) return std::nullopt;
  return at(index.next()).base_offset;
}

log_position log_view::last_agreement(log_position limit) const {
  log_index index = std::min(limit.index, last_);
  while (index > start_.index) {
    const term_id term = *term_of(index);
    if (term <= limit.term) return {index, term};
    const auto run = std::lower_bound(
        runs_.begin(), runs_.end(), term,
        [](const term_run& candidate, term_id wanted) { return candidate.term < wanted; });
    index = prior(run->first);
  }
  return start_;
}

void log_view::append(entry e) {
  CAIRN_CHECK(e.index == last_.next(), "entry {} appended after {}", e.index.value(),
              last_.value());
  const term_id last_term = last().term;
  CAIRN_CHECK(e.term >= last_term, "term {} appended after {}", e.term.value(), last_term.value());
  CAIRN_CHECK(e.base_offset == next_offset_, "entry {} with offset {} appended at offset {}",
              e.index.value(), e.base_offset.value(), next_offset_.value());
  if (runs_.empty() || runs_.back().term != e.term) runs_.push_back({e.index, e.term});
  last_ = e.index;
  next_offset_ = e.next_offset();
  window_bytes_ += e.size_bytes();
  window_.push_back(std::move(e));
}

void log_view::truncate_from(log_index first_removed, record_offset next_offset) {
  CAIRN_CHECK(first_removed > start_.index && first_removed <= last_.next(),
              "truncation from {} in a log ({}, {}]", first_removed.value(), start_.index.value(),
              last_.value());
  const std::optional<record_offset> known = offset_after(prior(first_removed));
  CAIRN_CHECK(next_offset >= start_offset_ && known.value_or(next_offset) == next_offset,
              "truncation from entry {} at offset {}", first_removed.value(), next_offset.value());
  while (!window_.empty() && window_.back().index >= first_removed) {
    window_bytes_ -= window_.back().size_bytes();
    window_.pop_back();
  }
  while (!runs_.empty() && runs_.back().first >= first_removed)
    runs_.pop_back();
  last_ = prior(first_removed);
  next_offset_ = next_offset;
}

void log_view::reset(log_position start, record_offset start_offset) {
  start_ = start;
  start_offset_ = next_offset_ = start_offset;
  last_ = start.index;
  runs_.clear();
  window_.clear();
  window_bytes_ = 0;
}

void log_view::trim_to(log_index last_removed, record_offset start_offset) {
  if (last_removed <= start_.index) return;
  CAIRN_CHECK(last_removed <= last_, "trimmed to {} in a log that ends at {}", last_removed.value(),
              last_.value());
  const std::optional<record_offset> known = offset_after(last_removed);
  CAIRN_CHECK(start_offset >= start_offset_ && start_offset <= next_offset_ &&
                  known.value_or(start_offset) == start_offset,
              "trimmed to entry {} at offset {}", last_removed.value(), start_offset.value());
  start_ = {last_removed, *term_of(last_removed)};
  start_offset_ = start_offset;
  while (!window_.empty() && window_.front().index <= last_removed) {
    window_bytes_ -= window_.front().size_bytes();
    window_.pop_front();
  }
  while (runs_.size() > 1 && runs_[1].first <= last_removed.next())
    runs_.erase(runs_.begin());
  if (last_ == last_removed) {
    runs_.clear();
  } else {
    runs_.front().first = last_removed.next();
  }
}

std::vector<entry> log_view::slice(log_index first, std::uint64_t bytes_max) const {
  CAIRN_CHECK(first >= window_first(), "entry {} is not in memory", first.value());
  std::vector<entry> entries;
  std::uint64_t used_bytes = 0;
  for (log_index i = first; i <= last_; i = i.next()) {
    const entry& e = at(i);
    used_bytes += e.size_bytes();
    if (!entries.empty() && used_bytes > bytes_max) break;
    entries.push_back(e);
  }
  return entries;
}

const entry& log_view::at(log_index index) const {
  CAIRN_CHECK(index >= window_first() && index <= last_, "entry {} is not in memory",
              index.value());
  return window_[index.since(window_first())];
}

void log_view::evict(log_index keep_after, std::uint64_t bytes_max) {
  while (window_bytes_ > bytes_max && !window_.empty() && window_.front().index <= keep_after) {
    window_bytes_ -= window_.front().size_bytes();
    window_.pop_front();
  }
}

}  // namespace cairn::raft
