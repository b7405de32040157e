#include "tests/support/sim_disk.hpp"

#include "storage/base/check.hpp"

#include <algorithm>
#include <cstring>

namespace cairn::testing {

namespace {

/// What a mapping shows behind the end of a file that was cut under it: nothing that makes sense.
constexpr std::byte k_beyond_end{0xa5};

std::uint64_t page_of(std::uint64_t position) {
  return position / k_sim_page_bytes;
}
std::uint64_t pages_for(std::uint64_t size) {
  return (size + k_sim_page_bytes - 1) / k_sim_page_bytes;
}

/// Calls `visit(page number, offset in page, offset in range, size)` for each page that the range
/// touches.
template <class Visit>
void for_each_page(std::uint64_t position, std::uint64_t size, Visit visit) {
  std::uint64_t done = 0;
  while (done < size) {
    const auto in_page = (position + done) % k_sim_page_bytes;
    const auto step = std::min(k_sim_page_bytes - in_page, size - done);
    visit(page_of(position + done), in_page, done, step);
    done += step;
  }
}

}  // namespace

// ---- sparse_image

sparse_image::page& sparse_image::writable(std::uint64_t number) {
  auto& slot = pages_[number];
  if (!slot) {
    slot = std::make_shared<page>();  // zeros
  } else if (slot.use_count() > 1) {
    slot = std::make_shared<page>(*slot);
  }
  return *slot;
}

void sparse_image::write(std::uint64_t position, byte_span bytes) {
  static const page k_zeros{};
  for_each_page(position, bytes.size(), [&](auto number, auto in_page, auto done, auto step) {
    // Zeros take no memory: files that are filled ahead of use are mostly zeros.
    if (std::memcmp(bytes.data() + done, k_zeros.data(), step) == 0 &&
        (step == k_sim_page_bytes || !pages_.contains(number))) {
      pages_.erase(number);
      return;
    }
    std::memcpy(writable(number).data() + in_page, bytes.data() + done, step);
  });
}

void sparse_image::read(std::uint64_t position, mutable_byte_span to) const {
  for_each_page(position, to.size(), [&](auto number, auto in_page, auto done, auto step) {
    const auto found = pages_.find(number);
    if (found == pages_.end()) {
      std::memset(to.data() + done, 0, step);
    } else {
      std::memcpy(to.data() + done, found->second->data() + in_page, step);
    }
  });
}

void sparse_image::clear_from(std::uint64_t position) {
  const auto in_page = position % k_sim_page_bytes;
  if (in_page != 0 && pages_.contains(page_of(position))) {
    auto& partial = writable(page_of(position));
    std::fill(partial.begin() + static_cast<std::ptrdiff_t>(in_page), partial.end(), std::byte{});
  }
  pages_.erase(pages_.lower_bound(pages_for(position)), pages_.end());
}

void sparse_image::take_page(const sparse_image& from, std::uint64_t number) {
  const auto found = from.pages_.find(number);
  if (found == from.pages_.end()) {
    pages_.erase(number);
  } else {
    pages_[number] = found->second;
  }
}

bool sparse_image::same_page(const sparse_image& other, std::uint64_t number) const {
  static const page zeros{};
  const auto mine = pages_.find(number);
  const auto theirs = other.pages_.find(number);
  const page& a = mine == pages_.end() ? zeros : *mine->second;
  const page& b = theirs == other.pages_.end() ? zeros : *theirs->second;
  return &a == &b || a == b;
}

// ---- page_ranges

void page_ranges::add(std::uint64_t first, std::uint64_t end) {
  if (first >= end) return;
  auto at = ranges_.lower_bound(first);
  if (at != ranges_.begin() && std::prev(at)->second >= first) --at;
  while (at != ranges_.end() && at->first <= end) {
    first = std::min(first, at->first);
    end = std::max(end, at->second);
    at = ranges_.erase(at);
  }
  ranges_[first] = end;
}

void page_ranges::remove_from(std::uint64_t first) {
  ranges_.erase(ranges_.lower_bound(first), ranges_.end());
  if (!ranges_.empty() && ranges_.rbegin()->second > first) ranges_.rbegin()->second = first;
}

std::uint64_t page_ranges::count() const {
  std::uint64_t total = 0;
  for (const auto& [first, end] : ranges_)
    total += end - first;
  return total;
}

std::uint64_t page_ranges::missing(std::uint64_t first, std::uint64_t end) const {
  if (first >= end) return 0;
  std::uint64_t have = 0;
  auto at = ranges_.upper_bound(first);
  if (at != ranges_.begin()) --at;
  for (; at != ranges_.end() && at->first < end; ++at) {
    const auto from = std::max(first, at->first);
    const auto to = std::min(end, at->second);
    if (from < to) have += to - from;
  }
  return end - first - have;
}

// ---- sim_inode: what the kernel shows

std::uint64_t sim_inode::growth_bytes(std::uint64_t position, std::uint64_t size) const {
  return allocated_.missing(page_of(position), pages_for(position + size)) * k_sim_page_bytes;
}

std::size_t sim_inode::read(std::uint64_t position, mutable_byte_span to) {
  if (position >= size_) return 0;
  fold_mapping();
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), size_ - position));
  cached_.read(position, to.first(count));
  return count;
}

void sim_inode::write(std::uint64_t position, std::vector<std::byte> bytes) {
  if (bytes.empty()) return;
  fold_mapping();
  cached_.write(position, bytes);
  allocated_.add(page_of(position), pages_for(position + bytes.size()));
  grow(position + bytes.size());
  if (const auto memory = mapped_.lock(); memory && position < memory->size()) {
    const auto count = std::min<std::uint64_t>(bytes.size(), memory->size() - position);
    std::memcpy(memory->data() + position, bytes.data(), count);
  }
  pending_.push_back({position, std::move(bytes), size_, false});
}

void sim_inode::grow(std::uint64_t size) {
  if (size <= size_) return;
  if (const auto memory = mapped_.lock(); memory && size_ < memory->size()) {
    const auto end = std::min<std::uint64_t>(size, memory->size());
    cached_.read(size_, mutable_byte_span(*memory).subspan(size_, end - size_));
  }
  size_ = size;
}

void sim_inode::allocate(std::uint64_t position, std::uint64_t size) {
  fold_mapping();
  allocated_.add(page_of(position), pages_for(position + size));
  grow(position + size);
  pending_.push_back({0, {}, size_, false});
}

void sim_inode::truncate(std::uint64_t size) {
  fold_mapping();
  if (size < size_) {
    cached_.clear_from(size);
    allocated_.remove_from(pages_for(size));
    dirty_pages_.erase(dirty_pages_.lower_bound(pages_for(size)), dirty_pages_.end());
    if (const auto memory = mapped_.lock(); memory && size < memory->size()) {
      std::fill(memory->begin() + static_cast<std::ptrdiff_t>(size), memory->end(), k_beyond_end);
    }
  }
  grow(size);
  size_ = size;
  pending_.push_back({size, {}, size, true});
}

std::shared_ptr<sim_inode::mapped_memory> sim_inode::map(std::uint64_t size) {
  CAIRN_CHECK(size <= size_, "mapping {} bytes of a file of {}", size, size_);
  fold_mapping();
  if (auto memory = mapped_.lock()) {
    CAIRN_CHECK(size <= memory->size(), "a second mapping of a file must not be larger: {} > {}",
                size, memory->size());
    return memory;
  }
  auto memory = std::make_shared<mapped_memory>(size);
  cached_.read(0, *memory);
  mapped_ = memory;
  return memory;
}

void sim_inode::fold_mapping() {
  const auto memory = mapped_.lock();
  if (!memory) return;
  const auto inside = std::min<std::uint64_t>(memory->size(), size_);
  std::array<std::byte, k_sim_page_bytes> shown{};
  for_each_page(0, inside, [&](auto number, auto, auto done, auto step) {
    const auto stored = byte_span(*memory).subspan(done, step);
    cached_.read(done, mutable_byte_span(shown).first(step));
    if (std::memcmp(shown.data(), stored.data(), step) == 0) return;
    CAIRN_CHECK(allocated_.missing(number, number + 1) == 0,
                "a store through a mapping at {} has no place on the disk: it can be a SIGBUS",
                number * k_sim_page_bytes);
    cached_.write(done, stored);
    dirty_pages_.insert(number);
  });
  const auto beyond = byte_span(*memory).subspan(inside);
  CAIRN_CHECK(std::all_of(beyond.begin(), beyond.end(), [](auto b) { return b == k_beyond_end; }),
              "a store through a mapping behind the end of the file, at {}: it can be a SIGBUS",
              inside);
}

// ---- sim_inode: what survives

void sim_inode::forget_pending() {
  pending_.clear();
  dirty_pages_.clear();
}

void sim_inode::sync() {
  fold_mapping();
  for (const auto& change : pending_) {
    if (change.truncates) durable_.clear_from(change.position);
    for_each_page(change.position, change.bytes.size(),
                  [&](auto number, auto, auto, auto) { durable_.take_page(cached_, number); });
  }
  for (const auto number : dirty_pages_)
    durable_.take_page(cached_, number);
  durable_size_ = size_;
  durable_allocated_ = allocated_;
  forget_pending();
}

void sim_inode::make_durable(sim_random& random) {
  // The size and the data are independent: a size without its data reads as zeros or old bytes.
  const auto size_changes = random.below(pending_.size() + 1);
  for (std::size_t i = 0; i < size_changes; ++i) {
    if (pending_[i].truncates && random.coin()) durable_.clear_from(pending_[i].position);
  }
  if (size_changes > 0) {
    durable_size_ = pending_[size_changes - 1].size_after;
    if (random.coin()) {
      durable_allocated_ = allocated_;
    } else {
      durable_allocated_.remove_from(pages_for(durable_size_));
    }
  }
  // A sector holds what it held at some moment since the last sync: the first k of the writes that
  // touched it. k differs from sector to sector, so later writes can survive without earlier ones.
  std::map<std::uint64_t, std::vector<std::size_t>> writers;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    const auto& change = pending_[i];
    if (change.bytes.empty()) continue;
    const auto last = (change.position + change.bytes.size() - 1) / k_sim_sector_bytes;
    for (auto sector = change.position / k_sim_sector_bytes; sector <= last; ++sector)
      writers[sector].push_back(i);
  }
  const auto survive_percent = std::array{5U, 50U, 95U}[random.below(3)];
  for (const auto& [sector, writes] : writers) {
    const bool whole = random.below(100) < survive_percent;
    const auto applied = whole ? writes.size() : random.below(writes.size());
    const auto begin = sector * k_sim_sector_bytes;
    const auto end = begin + k_sim_sector_bytes;
    for (std::size_t i = 0; i < applied; ++i) {
      const auto& change = pending_[writes[i]];
      const auto from = std::max(begin, change.position);
      const auto to = std::min(end, change.position + change.bytes.size());
      durable_.write(from, byte_span(change.bytes).subspan(from - change.position, to - from));
      durable_allocated_.add(page_of(from), pages_for(to));
    }
  }
  for (const auto number : dirty_pages_) {
    if (random.below(100) < survive_percent) {
      durable_.take_page(cached_, number);
      durable_allocated_.add(number, number + 1);
    }
  }
  durable_.clear_from(durable_size_);
  durable_allocated_.remove_from(pages_for(durable_size_));
}

void sim_inode::fail_sync(sim_random& random, bool evict) {
  fold_mapping();
  make_durable(random);
  if (evict && mapped_.expired()) {
    // Reads go to the disk from now on. The size stays: that is the inode's, not the pages'.
    for (const auto& change : pending_) {
      for_each_page(change.position, change.bytes.size(),
                    [&](auto number, auto, auto, auto) { cached_.take_page(durable_, number); });
    }
  }
  forget_pending();
}

void sim_inode::revert_to_durable() {
  cached_ = durable_;
  size_ = durable_size_;
  allocated_ = durable_allocated_;
  forget_pending();
}

void sim_inode::crash(sim_random& random, crash_keep keep) {
  detach_mapping();
  if (keep == crash_keep::at_random) {
    const auto draw = random.below(4);
    if (draw == 0) keep = crash_keep::all;
    if (draw == 1) keep = crash_keep::none;
  }
  if (keep == crash_keep::all) sync();
  if (keep == crash_keep::at_random) make_durable(random);
  revert_to_durable();
}

std::vector<std::byte> sim_inode::durable_bytes() const {
  std::vector<std::byte> bytes(durable_size_);
  durable_.read(0, bytes);
  return bytes;
}

std::size_t sim_inode::read_durable(std::uint64_t position, mutable_byte_span to) const {
  if (position >= durable_size_) return 0;
  const auto count = std::min<std::uint64_t>(to.size(), durable_size_ - position);
  durable_.read(position, to.first(count));
  return count;
}

void sim_inode::tamper(std::uint64_t position, byte_span bytes) {
  fold_mapping();
  cached_.write(position, bytes);
  durable_.write(position, bytes);
  const auto end = position + bytes.size();
  allocated_.add(page_of(position), pages_for(end));
  durable_allocated_.add(page_of(position), pages_for(end));
  size_ = std::max(size_, end);
  durable_size_ = std::max(durable_size_, end);
  if (const auto memory = mapped_.lock(); memory && position < memory->size()) {
    const auto count = std::min<std::uint64_t>(bytes.size(), memory->size() - position);
    std::memcpy(memory->data() + position, bytes.data(), count);
  }
}

void sim_inode::tamper_size(std::uint64_t size) {
  CAIRN_CHECK(mapped_.expired(), "the size of a mapped file cannot be tampered with");
  cached_.clear_from(size);
  durable_.clear_from(size);
  size_ = size;
  durable_size_ = size;
  allocated_.remove_from(pages_for(size));
  allocated_.add(0, pages_for(size));
  durable_allocated_ = allocated_;
  forget_pending();
}

}  // namespace cairn::testing
