// What Raft wants to know of a log besides its frames: where it begins, which terms and
// configurations it holds; and beginning anew.

#include "storage/durable_mark.hpp"
#include "storage/log_shared.hpp"
#include "storage/paths.hpp"
#include "storage/segmented_log.hpp"
#include "storage/slot_file.hpp"

#include <algorithm>
#include <utility>

namespace cairn::storage {

// --- configurations ------------------------------------------------------------------------------

status segmented_log::load_configs() {
  const std::string path = join_path(directory_, k_configs_name);
  auto found = read_config_file(env_, path);
  if (found.code() == errc::not_found) {
    // Logs of version 1 have none, and no configuration either.
    if (!start_was_v1_) {
      return error{errc::corruption,
                   fmt::format("{}: the log has had this file, but it is missing: "
                               "its configurations are not known",
                               path)};
    }
    configs_changed_ = true;
    return {};
  }
  if (!found) return found.error();
  configs_ = std::move(*found);
  // The file lists at least what is in the log. Up to the start it has been checked before.
  const std::size_t listed = configs_.size();
  status failed;
  std::erase_if(configs_, [&](const stored_config& config) {
    if (!failed || config.index < start_.index) return false;
    if (config.index == start_.index) return config.term != start_.term;
    if (config.index >= next_index_) return true;
    const auto frame = header_of(config.index);
    if (!frame) {
      failed = frame.error();
      return false;
    }
    return frame->kind != frame_kind::config || frame->term != config.term;
  });
  configs_changed_ = configs_.size() != listed;
  return failed;
}

status segmented_log::note_configs(std::span<const frame_input> frames) {
  std::vector<stored_config> next = configs_;
  for (const auto& frame : frames) {
    if (frame.kind != frame_kind::config) continue;
    std::vector<std::byte> bytes;
    for (const auto& piece : frame.payload)
      bytes.insert(bytes.end(), piece.span().begin(), piece.span().end());
    if (bytes.size() > k_config_bytes_max) {
      return error{errc::too_large, fmt::format("a configuration of {} bytes, the limit is {}",
                                                bytes.size(), k_config_bytes_max)};
    }
    next.push_back({frame.index, frame.term, shared_bytes::copy_of(bytes), {}});
  }
  if (next.size() == configs_.size()) return {};
  std::swap(configs_, next);
  auto saved = save_configs();
  if (!saved) configs_ = std::move(next);
  return saved;
}

void segmented_log::forget_configs_from(log_index first_removed) {
  configs_changed_ |= std::erase_if(configs_, [&](const stored_config& config) {
                        return config.index >= first_removed;
                      }) > 0;
}

status segmented_log::save_configs() {
  auto& list = configs_;
  // Of those up to the start only the last is of use.
  const auto kept = std::ranges::partition_point(
      list, [&](const stored_config& config) { return config.index <= start_.index; });
  if (kept - list.begin() > 1) list.erase(list.begin(), kept - 1);
  if (list.size() > k_configs_max) {
    list.erase(list.begin(), list.end() - static_cast<std::ptrdiff_t>(k_configs_max));
  }
  auto saved = write_config_file(env_, join_path(directory_, k_configs_name), configs_);
  if (saved) configs_changed_ = false;
  return saved;
}

std::vector<stored_config> segmented_log::configs() const {
  const auto kept = std::ranges::partition_point(
      configs_, [&](const stored_config& config) { return config.index <= start_.index; });
  return {kept, configs_.end()};
}

log_origin segmented_log::start() const {
  log_origin origin{.index = start_.index,
                    .term = start_.term,
                    .next_offset = start_.first_offset,
                    .configuration = {},
                    .state = {},
                    .last_timestamp_ms = start_.last_timestamp_ms};
  for (const auto& config : configs_) {
    if (config.index > start_.index) break;
    origin.configuration = config.payload;
    if (config.index == start_.index) origin.state = config.state;
  }
  return origin;
}

// --- terms ---------------------------------------------------------------------------------------

/// Through the index, which only says where to look.
result<frame_header> segmented_log::header_of(log_index index) const {
  const auto list = shared_->segments();
  const auto after = std::ranges::upper_bound(
      *list, index, {}, [](const auto& part) { return part->header.base_index; });
  CAIRN_CHECK(after != list->begin() && index < next_index_, "entry {} is not in the log",
              index.value());
  const auto& part = *std::prev(after);
  const std::uint64_t number = index.since(part->header.base_index);
  auto found = shared_->cache.read_header(part, number);
  if (!found) return found.error();
  return found->header;
}

result<std::vector<stored_term_run>> segmented_log::term_runs() const {
  std::vector<stored_term_run> runs;
  for (const auto& part : *shared_->segments()) {
    if (part->extent.frames == 0) continue;
    const auto add = [&](log_index first, term_id term) {
      if (runs.empty() || runs.back().term != term) runs.push_back({first, term});
    };
    log_index first = part->header.base_index;
    const log_index end = part->extent.next_index;
    add(first, part->extent.first_term);
    term_id term = part->extent.first_term;
    while (term != part->extent.last_term) {
      // Terms never fall: halve [first, end) until the first entry of a later term is found.
      log_index low = first.next();
      log_index high = log_index(end.value() - 1);
      while (low < high) {
        const log_index middle = low.plus(high.since(low) / 2);
        auto header = header_of(middle);
        if (!header) return header.error();
        if (header->term == term) {
          low = middle.next();
        } else {
          high = middle;
        }
      }
      auto header = header_of(low);
      if (!header) return header.error();
      if (header->term <= term) {
        return error{errc::corruption,
                     fmt::format("{}: entry {} is of term {}, behind term {}", part->store_path,
                                 low.value(), header->term.value(), term.value())};
      }
      term = header->term;
      add(low, term);
      first = low;
    }
  }
  return runs;
}

// --- beginning anew ------------------------------------------------------------------------------

status segmented_log::save_start(const log_start& next) {
  if (auto s = start_file_->save(encode_log_start(next)); !s) return fence(s);
  start_ = next;
  return {};
}

status segmented_log::install(const log_origin& origin) {
  if (auto s = refusal(); !s) return s;
  CAIRN_CHECK(origin.index.value() > shared_->visible_index.load() && origin.index > start_.index,
              "install at entry {} below the published {}", origin.index.value(),
              shared_->visible_index.load());
  CAIRN_CHECK(origin.next_offset.value() >= shared_->visible_end.load(),
              "install at offset {} below the published {}", origin.next_offset.value(),
              shared_->visible_end.load());
  if (origin.configuration.size() > k_config_bytes_max ||
      origin.state.size() > k_start_state_bytes_max) {
    return error{errc::too_large, fmt::format("a start with {} and {} bytes of state",
                                              origin.configuration.size(), origin.state.size())};
  }
  // Step 1 serves both logs: for the old one it lists a configuration that is not in it.
  std::vector<stored_config> next = configs_;
  const auto later = std::ranges::partition_point(next, [&](const stored_config& config) {
    return config.index < origin.index ||
           (config.index == origin.index && config.term < origin.term);
  });
  next.insert(later, {origin.index, origin.term, origin.configuration, origin.state});
  if (auto s = write_config_file(env_, join_path(directory_, k_configs_name), next); !s) {
    return s.code() == errc::io_error ? fence(s) : s;
  }
  // Step 2 decides: from here on whatever segment is found is of the old log.
  log_start start{.lowest = origin.next_offset,
                  .index = origin.index,
                  .term = origin.term,
                  .first_offset = origin.next_offset,
                  .last_timestamp_ms = origin.last_timestamp_ms,
                  .installing = true};
  if (auto s = save_start(start); !s) return s;
  if (auto s = drop_segments(); !s) return fence(s);
  mark_->clear();
  if (auto s = mark_->sync(); !s) return fence(s);
  start.installing = false;
  if (auto s = save_start(start); !s) return s;

  std::erase_if(next, [&](const stored_config& config) {
    return config.index > origin.index ||
           (config.index == origin.index && config.term != origin.term);
  });
  configs_ = std::move(next);
  configs_changed_ = true;
  next_offset_ = durable_offset_ = origin.next_offset;
  next_index_ = origin.index.next();
  durable_index_ = origin.index;
  last_term_ = origin.term;
  last_timestamp_ms_ = origin.last_timestamp_ms;
  shared_->unpublished.reset(durable_index_, {next_offset_, 0});
  if (auto end = publisher().publish(durable_index_); !end) return fence(end.error());
  shared_->lowest.store(origin.next_offset.value(), std::memory_order_release);
  return {};
}

status segmented_log::drop_segments() {
  const segment_list gone = *shared_->segments();
  shared_->set_segments({});
  active_.reset();
  room_end_ = 0;
  roll_before_next_ = false;
  sealed_bytes_ = 0;
  for (const auto& part : gone) {
    shared_->cache.forget(part);
    for (const auto& path : {part->store_path, part->index_path}) {
      if (auto s = env_.remove(path); !s) return s;
    }
  }
  return env_.sync_directory(directory_);
}

status segmented_log::finish_install(const std::vector<record_offset>& bases) {
  for (const auto base : bases) {
    for (const auto suffix : {k_store_suffix, k_index_suffix}) {
      const auto path = join_path(directory_, segment_file_name(base, suffix));
      if (auto s = env_.remove(path); !s) return s;
    }
  }
  if (auto s = env_.sync_directory(directory_); !s) return s;
  mark_->clear();
  if (auto s = mark_->sync(); !s) return s;
  log_start done = start_;
  done.installing = false;
  return save_start(done);
}

}  // namespace cairn::storage
