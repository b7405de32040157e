#include "storage/segmented_log.hpp"

#include "storage/background_work.hpp"
#include "storage/base/checksum.hpp"
#include "storage/base/planted_bug.hpp"
#include "storage/durable_mark.hpp"
#include "storage/log_reader.hpp"
#include "storage/log_shared.hpp"
#include "storage/log_start.hpp"
#include "storage/paths.hpp"
#include "storage/recovery.hpp"
#include "storage/slot_file.hpp"
#include "storage/spare_segments.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace cairn::storage {

namespace {

constexpr std::uint64_t k_segment_bytes_min = 4 * k_kib_bytes;
constexpr std::uint64_t k_index_bytes_default_max = 16 * k_mib_bytes;
constexpr std::uint64_t k_index_share = 16;
constexpr std::uint64_t k_fill_ahead_bytes = k_mib_bytes;

}  // namespace

segmented_log::segmented_log(env& env, std::string directory, const log_config& config)
    : env_(env),
      directory_(std::move(directory)),
      config_(config),
      shared_(std::make_shared<log_shared>(env, std::max(1u, config.open_segments_max))),
      spares_(std::make_shared<spare_segments>(env, directory_,
                                               std::min(config.segment_bytes, config.prefill_bytes),
                                               config.spare_segments_max)),
      background_(std::make_shared<background_work>()) {}

segmented_log::~segmented_log() {
  background_->stop();
  shared_->remember_in(nullptr);
}

result<std::unique_ptr<segmented_log>> segmented_log::open(env& env, std::string directory,
                                                           const log_config& config,
                                                           recovery_report& report) {
  if (config.segment_bytes < k_segment_bytes_min || config.segment_bytes > k_segment_bytes_max) {
    return error{errc::invalid_argument,
                 fmt::format("segment_bytes {} is not in {}..{}", config.segment_bytes,
                             k_segment_bytes_min, k_segment_bytes_max)};
  }
  if (auto s = env.make_directories(directory); !s) return s.error();
  auto log = std::unique_ptr<segmented_log>(new segmented_log(env, std::move(directory), config));
  if (auto s = log->load(report); !s) return s.error();
  return log;
}

std::uint64_t segmented_log::index_bytes() const {
  const std::uint64_t wanted =
      config_.index_bytes != 0
          ? config_.index_bytes
          : std::min(config_.segment_bytes / k_index_share, k_index_bytes_default_max);
  return std::max<std::uint64_t>(wanted / sizeof(index_entry), 1) * sizeof(index_entry);
}

status segmented_log::refusal() const {
  if (fenced_) {
    return error{errc::io_error,
                 fmt::format("{}: fenced: an earlier write or sync failed", directory_)};
  }
  if (closed_) return error{errc::unavailable, fmt::format("{}: closed", directory_)};
  return {};
}

status segmented_log::fence(status failed) {
  fenced_ = true;
  return failed;
}

status segmented_log::sync() {
  if (auto s = refusal(); !s) return s;
  if (!active_ || active_->durable_bytes == active_->extent.end_bytes) return {};
  if (active_->extent.end_bytes > active_->filled_bytes) {
    // Its room was found before: whatever it says is no full disk.
    if (auto s = fill_ahead(); !s) return fence(error{errc::io_error, s.error().detail});
  }
  if (auto s = active_->handles->store->sync_data(); !s && !planted(41)) {
    // A spare became this segment by rename: the file still tells its first name.
    return fence(error{s.code(), fmt::format("{}: {}", active_->store_path, s.error().detail)});
  }
  active_->durable_bytes = active_->extent.end_bytes;
  ++active_->syncs;
  durable_offset_ = next_offset_;
  durable_index_ = log_index(next_index_.value() - 1);
  set_mark(*active_, active_->durable_bytes);
  return {};
}

// The space is only reserved here, and the file system commits its journal with each sync of it.
// That is little beside a large write; small ones take some zeros along with one of them, and the
// next ones go without. No frame was ever there, so it does not matter which zeros a crash keeps.
status segmented_log::fill_ahead() {
  segment& target = *active_;
  const std::uint64_t end = target.extent.end_bytes;
  target.filled_bytes = end;
  if (end - target.durable_bytes >= k_large_sync_bytes || end >= target.allocated_bytes) return {};
  const std::uint64_t count = std::min(k_fill_ahead_bytes, target.allocated_bytes - end);
  if (auto s = fill_with_zeros(*target.handles->store, end, count); !s) return s;
  target.filled_bytes = end + count;
  return {};
}

void segmented_log::set_mark(const segment& of, std::uint64_t position_bytes,
                             std::uint64_t index_checksum) {
  mark_->set({of.header.identity, of.header.base_offset.value(), position_bytes, index_checksum});
}

void segmented_log::publish(record_offset end) {
  CAIRN_CHECK(end <= next_offset_, "publishing {} beyond the end {}", end.value(),
              next_offset_.value());
  // A failed look into an index: readers learn of it with the next call.
  static_cast<void>(shared_->show_to(end));
}

// Zeros written ahead make small syncs fast, and halve what a disk can take of large ones.
void segmented_log::request_spare() {
  background_->add(background_work::kind::luxury, [spares = spares_] { spares->prepare_one(); });
}

status segmented_log::roll() {
  if (auto s = sync(); !s) return s;
  roll_before_next_ = active_ && active_->extent.next_offset > active_->header.base_offset;
  return {};
}

status segmented_log::close() {
  if (closed_) return {};
  background_->finish();
  auto synced = sync();
  closed_ = true;
  if (!synced || !active_) return synced;
  if (!active_->handles->map) return {};
  const auto entries = active_->handles->entries(active_->extent.frames);
  const auto bytes = std::as_bytes(entries);
  const std::uint64_t checksum = checksum64(byte_span(bytes.data(), bytes.size()));
  if (auto s = write_index_file(env_, *active_, entries); !s) return s;
  // Last: it vouches for what has just been made durable.
  set_mark(*active_, active_->durable_bytes, checksum);
  return mark_->sync();
}

record_offset segmented_log::lowest_offset() const {
  return record_offset(shared_->lowest.load());
}
record_offset segmented_log::next_offset() const {
  return next_offset_;
}
record_offset segmented_log::durable_offset() const {
  return durable_offset_;
}
log_index segmented_log::next_index() const {
  return next_index_;
}
term_id segmented_log::last_term() const {
  return last_term_;
}
unix_ms segmented_log::last_timestamp_ms() const {
  return last_timestamp_ms_;
}
bool segmented_log::fenced() const {
  return fenced_;
}

log_index segmented_log::first_index() const {
  return start_.index.next();
}

std::uint64_t segmented_log::size_bytes() const {
  return sealed_bytes_ + (active_ ? active_->extent.end_bytes : 0);
}

std::vector<segment_summary> segmented_log::segments() const {
  std::vector<segment_summary> out;
  const auto list = shared_->segments();
  out.reserve(list->size());
  for (const auto& part : *list) {
    out.push_back({part->header.base_offset, part->extent.next_offset, part->header.base_index,
                   part->extent.end_bytes, part->header.base_time_ms,
                   part->extent.last_timestamp_ms, part->sealed.load()});
  }
  return out;
}

std::shared_ptr<log_reader> segmented_log::reader() const {
  return std::make_shared<log_reader>(shared_);
}

log_publisher segmented_log::publisher() const {
  return log_publisher(shared_);
}

std::shared_ptr<background_work> segmented_log::background() const {
  return background_;
}

}  // namespace cairn::storage
