#include "storage/spare_segments.hpp"

#include "storage/base/units.hpp"
#include "storage/paths.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace cairn::storage {

namespace {
// Spares are a luxury: none is made when the disk has less room than this many of them.
constexpr std::uint64_t k_free_spares_min = 8;
constexpr std::size_t k_zeros_bytes = 256 * k_kib_bytes;
// Synced in pieces of this size: a whole file's zeros at once would keep the disk from the log's
// own syncs for tens of milliseconds.
constexpr std::uint64_t k_fill_step_bytes = 2 * k_mib_bytes;
const std::vector<std::byte> k_zeros(k_zeros_bytes);
}  // namespace

status fill_with_zeros(file& target, std::uint64_t position, std::uint64_t size_bytes) {
  while (size_bytes > 0) {
    const std::uint64_t count = std::min<std::uint64_t>(size_bytes, k_zeros_bytes);
    const byte_span piece = byte_span(k_zeros).first(count);
    if (auto s = target.pwrite({&piece, 1}, position); !s) return s;
    position += count;
    size_bytes -= count;
  }
  return {};
}

namespace {

/// Fills a new file with zeros and makes it durable under its own name.
status make_spare_file(env& env, const std::string& path, std::uint64_t fill_bytes) {
  auto made = env.open(path, open_mode::create);
  if (!made) return made.error();
  if (auto s = (*made)->allocate(0, fill_bytes); !s) return s;
  for (std::uint64_t at = 0; at < fill_bytes; at += k_fill_step_bytes) {
    const std::uint64_t count = std::min(k_fill_step_bytes, fill_bytes - at);
    if (auto s = fill_with_zeros(**made, at, count); !s) return s;
    if (auto s = (*made)->sync_data(); !s) return s;
  }
  return {};
}

}  // namespace

spare_segments::spare_segments(env& env, std::string directory, std::uint64_t fill_bytes,
                               std::size_t spares_max)
    : env_(env),
      directory_(std::move(directory)),
      fill_bytes_(fill_bytes),
      spares_max_(spares_max) {}

std::string spare_segments::next_path() {
  return join_path(directory_, fmt::format("{:06}{}", next_number_++, k_spare_suffix));
}

void spare_segments::adopt(const std::string& name, std::uint64_t size_bytes) {
  std::uint64_t number = 0;
  const auto stem = name.substr(0, name.size() - k_spare_suffix.size());
  std::from_chars(stem.data(), stem.data() + stem.size(), number);
  const std::lock_guard lock(mutex_);
  next_number_ = std::max(next_number_, number + 1);
  const std::string path = join_path(directory_, name);
  // A file of another size was made under another configuration. Its content is unknown: it counts
  // as recycled.
  if (room_for_recycled() && size_bytes >= fill_bytes_ / 2 && size_bytes <= fill_bytes_ * 2) {
    spares_.push_back({path, size_bytes, true});
  } else {
    static_cast<void>(env_.remove(path));
  }
}

bool spare_segments::room_for_recycled() const {
  return spares_max_ > 0 && spares_.size() <= spares_max_;
}

std::optional<spare_segments::spare> spare_segments::take() {
  const std::lock_guard lock(mutex_);
  if (spares_.empty()) return std::nullopt;
  spare taken = std::move(spares_.back());
  spares_.pop_back();
  return taken;
}

void spare_segments::give_back(spare unused) {
  const std::lock_guard lock(mutex_);
  unused.recycled = true;  // its first bytes may have been overwritten
  spares_.push_back(std::move(unused));
}

void spare_segments::prepare_one() {
  const std::lock_guard preparing(preparing_);
  std::string path;
  {
    const std::lock_guard lock(mutex_);
    if (spares_.size() >= spares_max_) return;
    path = next_path();
  }
  const auto room = env_.free_bytes(directory_);
  if (!room || *room < k_free_spares_min * fill_bytes_) return;
  const std::string fresh = path + std::string(k_temporary_suffix);
  const bool usable = make_spare_file(env_, fresh, fill_bytes_).ok() &&
                      env_.rename(fresh, path).ok() && env_.sync_directory(directory_).ok();
  if (!usable) {
    static_cast<void>(env_.remove(fresh));
    return;
  }
  const std::lock_guard lock(mutex_);
  spares_.push_back({path, fill_bytes_, false});
}

bool spare_segments::recycle(const std::string& store_path, std::uint64_t size_bytes) {
  if (size_bytes < fill_bytes_ / 2 || size_bytes > fill_bytes_ * 2) return false;
  const std::lock_guard lock(mutex_);
  if (!room_for_recycled()) return false;
  std::string path = next_path();
  if (!env_.rename(store_path, path).ok()) return false;
  spares_.push_back({std::move(path), size_bytes, true});
  return true;
}

}  // namespace cairn::storage
