#include "storage/log_publisher.hpp"

#include "storage/durable_mark.hpp"
#include "storage/log_shared.hpp"

#include <algorithm>
#include <utility>

namespace cairn::storage {

void unpublished_entries::reset(log_index last, entry_end end) {
  const std::lock_guard lock(mutex_);
  first_ = last;
  ends_.assign(1, end);
}

void unpublished_entries::append(entry_end end) {
  const std::lock_guard lock(mutex_);
  ends_.push_back(end);
}

void unpublished_entries::truncate(log_index last, entry_end end) {
  const std::lock_guard lock(mutex_);
  if (last <= first_) {
    first_ = last;
    ends_.assign(1, end);
  } else {
    ends_.resize(last.since(first_) + 1);
  }
}

void log_shared::show(log_index last, record_offset end, std::uint64_t end_bytes) {
  const std::uint64_t before = visible_index.load(std::memory_order_relaxed);
  // The entries before the end: who sees the end must find them. From the back, as far as something
  // is new.
  const auto list = segments();
  for (auto it = list->rbegin(); it != list->rend(); ++it) {
    segment& part = **it;
    if (part.header.base_index > last) continue;
    const std::uint64_t wanted = last.since(part.header.base_index) + 1;
    const std::uint64_t has = part.entries.load(std::memory_order_acquire);
    part.published_bytes.store(wanted < has ? end_bytes : part.end_bytes.load(),
                               std::memory_order_relaxed);
    part.published_entries.store(std::min(wanted, has), std::memory_order_release);
    if (part.header.base_index.value() <= before) break;
  }
  auto& ends = unpublished.ends_;
  while (ends.size() > 1 && unpublished.first_ < last) {
    ends.pop_front();
    unpublished.first_ = unpublished.first_.next();
  }
  if (end.value() > visible_end.load(std::memory_order_relaxed)) {
    visible_end.store(end.value(), std::memory_order_release);
  }
  if (last.value() > before) visible_index.store(last.value(), std::memory_order_release);
}

namespace {

/// Where entry `last` ends, one that was there when the log was opened, as was the entry after it.
result<entry_end> find_end(log_shared& shared, log_index last) {
  const auto list = shared.segments();
  const auto after = std::ranges::upper_bound(
      *list, last, {}, [](const auto& part) { return part->header.base_index; });
  CAIRN_CHECK(after != list->begin(), "entry {} to be published has been trimmed", last.value());
  const auto& part = *std::prev(after);
  const std::uint64_t number = last.since(part->header.base_index);
  if (number + 1 < part->entries.load(std::memory_order_acquire)) {
    auto next = shared.cache.read_header(part, number + 1);
    if (!next) return next.error();
    return entry_end{next->header.base_offset, next->position};
  }
  CAIRN_CHECK(after != list->end(), "entry {} to be published is not in the log", last.value());
  return entry_end{(*after)->header.base_offset, part->end_bytes.load()};
}

}  // namespace

log_publisher::log_publisher(std::shared_ptr<log_shared> shared) : shared_(std::move(shared)) {}

result<record_offset> log_publisher::publish(log_index last) const {
  auto& waiting = shared_->unpublished;
  const std::lock_guard lock(waiting.mutex_);
  if (last.value() > shared_->visible_index.load(std::memory_order_relaxed)) {
    entry_end end;
    if (last >= waiting.first_) {
      const std::uint64_t number = last.since(waiting.first_);
      CAIRN_CHECK(number < waiting.ends_.size(), "publishing entry {} of a log that ends at {}",
                  last.value(), waiting.first_.value() + waiting.ends_.size() - 1);
      end = waiting.ends_[number];
    } else {
      // The writer waits meanwhile, should it want to truncate what is being looked at.
      auto found = find_end(*shared_, last);
      if (!found) return found.error();
      end = *found;
    }
    shared_->show(last, end.next_offset, end.end_bytes);
    if (shared_->mark != nullptr) shared_->mark->set_published(last);
  }
  return record_offset(shared_->visible_end.load(std::memory_order_relaxed));
}

void log_shared::remember_in(durable_mark* page) {
  const std::lock_guard lock(unpublished.mutex_);
  mark = page;
}

log_index log_publisher::published() const {
  return log_index(shared_->visible_index.load(std::memory_order_acquire));
}

status log_shared::show_to(record_offset end) {
  const std::lock_guard lock(unpublished.mutex_);
  if (end.value() <= visible_end.load(std::memory_order_relaxed)) return {};
  const auto list = segments();
  for (auto it = list->rbegin(); it != list->rend(); ++it) {
    const auto& part = *it;
    if (end < part->header.base_offset) continue;
    const std::uint64_t has = part->entries.load(std::memory_order_acquire);
    std::uint64_t count = has;
    std::uint64_t end_bytes = part->end_bytes.load();
    if (end < part->extent.next_offset) {
      const auto handles = cache.acquire(part, false);
      if (!handles) return handles.error();
      const auto entries = (*handles)->entries(has);
      count = count_below_offset(entries, end.since(part->header.base_offset));
      if (count < has) end_bytes = entries[count].position;
    }
    show(log_index(part->header.base_index.value() + count - 1), end, end_bytes);
    return {};
  }
  show(log_index(visible_index.load()), end, k_store_header_bytes);
  return {};
}

}  // namespace cairn::storage
