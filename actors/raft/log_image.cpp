// A log_view as bytes. Entries in memory are many and mostly alike: they are written as runs.

#include "actors/raft/archive_fields.hpp"
#include "actors/raft/log_view.hpp"

namespace cairn::raft {
namespace {

struct window_run {
  std::uint64_t count = 0;
  entry_kind kind = entry_kind::data;
  std::uint32_t record_count = 0;
  shared_bytes payload;

  template <class Archive, class Self>
  static void fields(Archive& archive, Self& x) {
    pass(archive, x.count);
    pass_enum(archive, x.kind, entry_kind::control);
    pass(archive, x.record_count);
    archive.elided(x.payload);
  }
};

// What the constructor insists on.
bool in_order(log_position start, const std::vector<term_run>& runs, log_index last) {
  if (last < start.index || runs.empty() != (last == start.index)) return false;
  term_run before{start.index, start.term};
  for (const term_run& run : runs) {
    const bool first = &run == &runs.front();
    const bool good = first ? run.first == start.index.next() && run.term >= start.term
                            : run.first > before.first && run.term > before.term;
    if (!good || run.first > last) return false;
    before = run;
  }
  return last < k_index_limit && before.term < k_term_limit;
}

}  // namespace

void log_view::save(image_writer& to) const {
  pass(to, start_, start_offset_, last_, next_offset_, runs_);
  std::vector<window_run> alike;
  for (const entry& e : window_) {
    const bool same = !alike.empty() && alike.back().kind == e.kind &&
                      alike.back().record_count == e.record_count &&
                      alike.back().payload.size() == e.payload.size();
    if (!same) alike.push_back({0, e.kind, e.record_count, e.payload});
    ++alike.back().count;
  }
  pass(to, alike);
}

std::optional<log_view> log_view::load(image_reader& from) {
  log_position start;
  record_offset start_offset;
  log_index last;
  record_offset next_offset;
  std::vector<term_run> runs;
  std::vector<window_run> alike;
  pass(from, start, start_offset, last, next_offset, runs, alike);
  if (from.failed() || !in_order(start, runs, last) || next_offset >= k_offset_limit ||
      next_offset < start_offset || (last == start.index && next_offset != start_offset)) {
    return std::nullopt;
  }
  std::uint64_t entries = 0;
  std::uint64_t records = 0;
  for (const window_run& run : alike) {
    if (run.count == 0 || run.count > k_image_entries_max) return std::nullopt;
    entries += run.count;
    records += run.count * run.record_count;
    if (entries > k_image_entries_max || entries > last.since(start.index) ||
        records > next_offset.since(start_offset)) {
      return std::nullopt;
    }
  }
  log_view log(start, start_offset, std::move(runs), last, next_offset);
  entry e;
  e.index = log_index(last.value() + 1 - entries);
  e.base_offset = record_offset(next_offset.value() - records);
  for (const window_run& run : alike) {
    for (std::uint64_t i = 0; i < run.count; ++i) {
      e.term = *log.term_of(e.index);
      e.kind = run.kind;
      e.record_count = run.record_count;
      e.payload = run.payload;
      log.window_bytes_ += e.size_bytes();
      log.window_.push_back(e);
      e.base_offset = e.next_offset();
      e.index = e.index.next();
    }
  }
  return log;
}

}  // namespace cairn::raft
