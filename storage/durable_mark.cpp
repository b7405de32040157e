#include "storage/durable_mark.hpp"

#include "storage/base/checksum.hpp"
#include "storage/paths.hpp"

#include <array>
#include <span>

namespace cairn::storage {

namespace {

constexpr std::uint64_t k_file_bytes = 4096;
constexpr std::size_t k_slot_distance_bytes = 2048;
constexpr std::size_t k_slot_bytes = 48;
constexpr std::size_t k_at_sequence = 8;
constexpr std::size_t k_at_identity = 16;
constexpr std::size_t k_at_base_offset = 24;
constexpr std::size_t k_at_position = 32;
constexpr std::size_t k_at_index_checksum = 40;

// What was published has slots of its own: another thread writes them.
constexpr std::size_t k_published_slots = 1024;
constexpr std::size_t k_published_slot_bytes = 24;
constexpr std::size_t k_at_published = 16;
static_assert(k_slot_bytes <= k_published_slots &&
              k_published_slots + k_published_slot_bytes <= k_slot_distance_bytes);

}  // namespace

durable_mark::durable_mark(std::unique_ptr<file> file, std::unique_ptr<mapping> map)
    : file_(std::move(file)), map_(std::move(map)) {}

result<std::unique_ptr<durable_mark>> durable_mark::open(env& env, const std::string& path) {
  auto opened = env.open(path, open_mode::read_write);
  std::uint64_t size = 0;
  if (opened) {
    auto known = (*opened)->size_bytes();
    if (!known) return known.error();
    size = *known;
  } else if (opened.code() != errc::not_found) {
    return opened.error();
  }
  if (size < k_file_bytes) {
    opened = env.open(path, open_mode::create);
    if (!opened) return opened.error();
    if (auto s = (*opened)->allocate(0, k_file_bytes); !s) return s.error();
    if (auto s = (*opened)->sync_data(); !s) return s.error();
    if (auto s = env.sync_directory(parent_path(path)); !s) return s.error();
  }
  // Also when it is there: a power cut or a copy may have left a hole, and a store into a mapped
  // hole on a full disk kills the process.
  if (auto s = (*opened)->allocate(0, k_file_bytes); !s) return s.error();
  auto map = (*opened)->map(k_file_bytes);
  if (!map) return map.error();
  auto made = std::unique_ptr<durable_mark>(new durable_mark(std::move(*opened), std::move(*map)));
  const auto found = load(made->map_->bytes());
  made->sequence_ = found.sequence;
  made->current_ = found.value;
  made->load_published();
  return made;
}

void durable_mark::load_published() {
  for (std::size_t i = 0; i < 2; ++i) {
    const byte_span slot =
        byte_span(map_->bytes())
            .subspan(k_published_slots + i * k_slot_distance_bytes, k_published_slot_bytes);
    if (load_le<std::uint64_t>(slot.data()) != checksum64(slot.subspan(k_at_sequence))) continue;
    const auto sequence = load_le<std::uint64_t>(slot.data() + k_at_sequence);
    if (sequence <= published_sequence_) continue;
    published_sequence_ = sequence;
    published_ = log_index(load_le<std::uint64_t>(slot.data() + k_at_published));
  }
}

void durable_mark::set_published(log_index last) {
  ++published_sequence_;
  std::array<std::byte, k_published_slot_bytes> slot{};
  store_le(slot.data() + k_at_sequence, published_sequence_);
  store_le(slot.data() + k_at_published, last.value());
  store_le(slot.data(), checksum64(byte_span(slot).subspan(k_at_sequence)));
  const auto to = map_->bytes().subspan(
      k_published_slots + published_sequence_ % 2 * k_slot_distance_bytes, slot.size());
  std::memcpy(to.data(), slot.data(), slot.size());
  published_ = last;
}

durable_mark::loaded durable_mark::load(byte_span page) {
  loaded newest;
  for (std::size_t i = 0; i < 2; ++i) {
    const byte_span slot = page.subspan(i * k_slot_distance_bytes, k_slot_bytes);
    if (load_le<std::uint64_t>(slot.data()) != checksum64(slot.subspan(k_at_sequence))) continue;
    const auto sequence = load_le<std::uint64_t>(slot.data() + k_at_sequence);
    if (sequence <= newest.sequence) continue;
    newest.sequence = sequence;
    newest.value = mark{load_le<std::uint64_t>(slot.data() + k_at_identity),
                        load_le<std::uint64_t>(slot.data() + k_at_base_offset),
                        load_le<std::uint64_t>(slot.data() + k_at_position),
                        load_le<std::uint64_t>(slot.data() + k_at_index_checksum)};
    if (newest.value == mark{}) newest.value.reset();
  }
  return newest;
}

result<std::optional<durable_mark::mark>> durable_mark::read(env& env, const std::string& path) {
  const std::optional<mark> none;
  auto opened = env.open(path, open_mode::read);
  if (opened.code() == errc::not_found) return none;
  if (!opened) return opened.error();
  std::array<std::byte, k_file_bytes> page{};
  auto count = (*opened)->pread(page, 0);
  if (!count) return count.error();
  if (*count < k_file_bytes) return none;
  return load(page).value;
}

void durable_mark::set(const mark& next) {
  ++sequence_;
  std::array<std::byte, k_slot_bytes> slot{};
  store_le(slot.data() + k_at_sequence, sequence_);
  store_le(slot.data() + k_at_identity, next.identity);
  store_le(slot.data() + k_at_base_offset, next.base_offset);
  store_le(slot.data() + k_at_position, next.position_bytes);
  store_le(slot.data() + k_at_index_checksum, next.index_checksum);
  store_le(slot.data(), checksum64(byte_span(slot).subspan(k_at_sequence)));
  // The other slot stays intact should the process end in the middle of this copy.
  const auto to = map_->bytes().subspan(sequence_ % 2 * k_slot_distance_bytes, k_slot_bytes);
  std::memcpy(to.data(), slot.data(), slot.size());
  current_ = next;
}

void durable_mark::clear() {
  set({});
  current_.reset();
}

status durable_mark::sync() {
  return file_->sync_data();
}

}  // namespace cairn::storage
