// Opening: what of a directory is the log, and what an interrupted change has left over.

#include "storage/durable_mark.hpp"
#include "storage/log_shared.hpp"
#include "storage/paths.hpp"
#include "storage/recovery.hpp"
#include "storage/segmented_log.hpp"
#include "storage/slot_file.hpp"
#include "storage/spare_segments.hpp"

#include <algorithm>
#include <utility>

namespace cairn::storage {

status segmented_log::load(recovery_report& report) {
  auto content = list_log_directory(env_, directory_);
  if (!content) return content.error();
  auto mark = durable_mark::open(env_, join_path(directory_, k_mark_name));
  if (!mark) return mark.error();
  mark_ = std::move(*mark);
  auto& bases = content->segments;
  if (auto s = load_start(bases); !s) return s;
  if (start_.installing) {
    report.removed_files += bases.size();
    if (auto s = finish_install(bases); !s) return s;
    bases.clear();
  }

  // A trim removes files after the new start is durable; finish one that was interrupted. Such a
  // file may already have been recycled under its old name, so its content is not looked at.
  const auto left_over = [&] {
    if (bases.empty()) return false;
    return start_.offset_only ? bases.size() > 1 && bases[1] <= start_.lowest
                              : bases[0] < start_.first_offset;
  };
  while (left_over()) {
    for (const auto suffix : {k_index_suffix, k_store_suffix}) {
      const auto path = join_path(directory_, segment_file_name(bases[0], suffix));
      if (auto s = env_.remove(path); !s) return s;
    }
    ++report.removed_files;
    bases.erase(bases.begin());
  }
  if (auto s = check_names(bases); !s) return s;
  if (bases.empty()) start_.offset_only = false;
  for (const auto* names : {&content->temporaries, &content->orphan_indexes}) {
    for (const auto& name : *names) {
      if (auto s = env_.remove(join_path(directory_, name)); !s) return s;
      ++report.removed_files;
    }
  }
  for (const auto& spare : content->spares)
    spares_->adopt(spare.name, spare.size_bytes);
  shared_->lowest = shared_->visible_end = start_.lowest.value();
  next_offset_ = durable_offset_ = start_.first_offset;
  next_index_ = start_.index.next();
  durable_index_ = start_.index;
  last_term_ = start_.term;
  last_timestamp_ms_ = start_.last_timestamp_ms;
  if (!bases.empty()) {
    if (auto s = load_segments(bases, report); !s) return s;
  } else {
    // The very first segment should be warm too. A failure shows at the first append.
    spares_->prepare_one();
  }
  if (next_offset_ < start_.lowest) {
    return error{errc::corruption,
                 fmt::format("{}: the log starts at offset {}, but its records end at offset {}",
                             directory_, start_.lowest.value(), next_offset_.value())};
  }
  shared_->visible_index = start_.index.value();
  shared_->unpublished.reset(durable_index_,
                             {next_offset_, active_ ? active_->extent.end_bytes : 0});
  if (auto s = load_configs(); !s) return s;
  publish_again();
  if (config_.publish_on_open) {
    if (auto end = publisher().publish(durable_index_); !end) return end.error();
  }
  request_spare();
  return {};
}

// What readers were shown was committed, and is not cut off again. Should the log be shorter, its
// disk has lost what was durable: what is left was shown, and what will be written behind it was
// not.
void segmented_log::publish_again() {
  const log_index shown = std::min(mark_->published(), durable_index_);
  if (shown < mark_->published()) mark_->set_published(shown);
  shared_->remember_in(mark_.get());
  // An entry that has rotted is the business of whoever reads it.
  if (shown > start_.index) static_cast<void>(publisher().publish(shown));
}

status segmented_log::load_start(const std::vector<record_offset>& bases) {
  log_start initial;
  // Without the file only the segments can tell where the log begins.
  if (!bases.empty()) {
    initial.lowest = bases[0];
    initial.offset_only = true;
  }
  const std::string path = join_path(directory_, k_start_name);
  if (bases.empty() && env_.open(path, open_mode::read).code() == errc::not_found) {
    // First, so that whoever has a start of version 2 has this file.
    const std::string configs = join_path(directory_, k_configs_name);
    if (auto s = write_config_file(env_, configs, {}); !s) return s;
  }
  auto opened = slot_file::open(env_, path, encode_log_start(initial));
  if (!opened) return opened.error();
  start_file_ = std::move(*opened);
  const auto found = decode_log_start(start_file_->value());
  if (!found) {
    return error{errc::corruption,
                 fmt::format("{}: {} bytes that this program does not know as the start of a log",
                             path, start_file_->value().size())};
  }
  start_ = *found;
  start_was_v1_ = start_.offset_only;
  if (start_.offset_only) start_.first_offset = start_.lowest;
  return {};
}

status segmented_log::check_names(const std::vector<record_offset>& bases) const {
  const auto& mark = mark_->current();
  if (bases.empty()) {
    if (!mark) return {};
    return error{errc::corruption,
                 fmt::format("{}: the log has held data, but there is no segment", directory_)};
  }
  if (start_.offset_only ? bases[0] > start_.lowest : bases[0] != start_.first_offset) {
    return error{errc::corruption,
                 fmt::format("{}: the log starts at offset {}, but its first segment is {}: "
                             "earlier segments are missing",
                             directory_, start_.lowest.value(),
                             segment_file_name(bases[0], k_store_suffix))};
  }
  if (mark && mark->base_offset > bases.back().value()) {
    return error{errc::corruption,
                 fmt::format("{}: segment {} is missing: it has held data", directory_,
                             segment_file_name(record_offset(mark->base_offset), k_store_suffix))};
  }
  return {};
}

status segmented_log::load_segments(const std::vector<record_offset>& bases,
                                    recovery_report& report) {
  segment_list list;
  list.reserve(bases.size());
  auto header = read_store_header(env_, directory_, bases[0], config_.log_id);
  if (!header) return header.error();
  if (start_.offset_only) {
    // Version 1 was written by nodes alone, whose only term is 1.
    start_.index = log_index(header->base_index.value() - 1);
    start_.term = term_id(start_.index.value() == 0 ? 0 : 1);
    start_.first_offset = bases[0];
    start_.offset_only = false;
  } else if (header->base_index != start_.index.next()) {
    return error{errc::corruption,
                 fmt::format("{}: the first segment begins with entry {}, not with {}", directory_,
                             header->base_index.value(), start_.index.next().value())};
  }
  for (std::size_t i = 0; i + 1 < bases.size(); ++i) {
    auto next = read_store_header(env_, directory_, bases[i + 1], config_.log_id);
    if (!next) return next.error();
    auto loaded = load_sealed_segment(env_, directory_, *header, *next, report);
    if (!loaded) return loaded.error();
    sealed_bytes_ += (*loaded)->extent.end_bytes;
    list.push_back(std::move(*loaded));
    header = std::move(next);
  }
  auto active =
      load_active_segment(env_, directory_, *header, mark_->current(), index_bytes(), report);
  if (!active) return active.error();
  active_ = *active;
  list.push_back(*active);

  const store_extent& end = active_->extent;
  next_offset_ = durable_offset_ = end.next_offset;
  next_index_ = end.next_index;
  durable_index_ = log_index(end.next_index.value() - 1);
  shared_->set_segments(std::move(list));
  note_last_entry();
  set_mark(*active_, end.end_bytes);
  return {};
}

void segmented_log::note_last_entry() {
  last_term_ = start_.term;
  last_timestamp_ms_ = start_.last_timestamp_ms;
  const auto list = shared_->segments();
  // Not what the header of an empty segment says: its time may be ahead of the next leader's clock.
  const auto part = std::ranges::find_if(list->rbegin(), list->rend(),
                                         [](const auto& p) { return p->extent.frames > 0; });
  if (part == list->rend()) return;
  last_term_ = (*part)->extent.last_term;
  last_timestamp_ms_ = (*part)->extent.last_timestamp_ms;
}

}  // namespace cairn::storage
