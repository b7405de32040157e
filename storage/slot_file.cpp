#include "storage/slot_file.hpp"

#include "storage/base/checksum.hpp"
#include "storage/paths.hpp"

#include <array>
#include <optional>

namespace cairn::storage {

namespace {

// The slots lie in different pages, so that no torn write can hit both.
constexpr std::uint64_t k_slot_distance_bytes = 4096;
constexpr std::size_t k_slot_bytes = 512;
constexpr std::uint64_t k_file_bytes = k_slot_distance_bytes + k_slot_bytes;
constexpr std::size_t k_at_sequence = 8;
constexpr std::size_t k_at_size = 16;
constexpr std::size_t k_at_magic = 20;
constexpr std::size_t k_at_value = 32;
constexpr std::uint32_t k_slot_magic = 0x31544c53;  // "SLT1"
static_assert(k_at_value + k_slot_value_bytes_max == k_slot_bytes);

struct slot {
  std::uint64_t sequence = 0;
  std::vector<std::byte> value;
};

std::array<std::byte, k_slot_bytes> encode_slot(std::uint64_t sequence, byte_span value) {
  std::array<std::byte, k_slot_bytes> bytes{};
  store_le(bytes.data() + k_at_sequence, sequence);
  store_le(bytes.data() + k_at_size, static_cast<std::uint32_t>(value.size()));
  store_le(bytes.data() + k_at_magic, k_slot_magic);
  if (!value.empty()) std::memcpy(bytes.data() + k_at_value, value.data(), value.size());
  store_le(bytes.data(), checksum64(byte_span(bytes).subspan(k_at_sequence)));
  return bytes;
}

std::optional<slot> decode_slot(byte_span bytes) {
  if (bytes.size() < k_slot_bytes) return std::nullopt;
  const auto covered = bytes.subspan(k_at_sequence, k_slot_bytes - k_at_sequence);
  if (load_le<std::uint64_t>(bytes.data()) != checksum64(covered)) return std::nullopt;
  const auto size = load_le<std::uint32_t>(bytes.data() + k_at_size);
  if (load_le<std::uint32_t>(bytes.data() + k_at_magic) != k_slot_magic ||
      size > k_slot_value_bytes_max) {
    return std::nullopt;
  }
  const auto value = bytes.subspan(k_at_value, size);
  return slot{load_le<std::uint64_t>(bytes.data() + k_at_sequence), {value.begin(), value.end()}};
}

}  // namespace

result<std::unique_ptr<slot_file>> slot_file::open(env& env, const std::string& path,
                                                   byte_span initial) {
  CAIRN_CHECK(initial.size() <= k_slot_value_bytes_max, "slot value of {} bytes", initial.size());
  auto opened = env.open(path, open_mode::read_write);
  if (opened.code() == errc::not_found) {
    // Written under another name first: the file exists whole or not at all.
    const std::string fresh = path + std::string(k_temporary_suffix);
    auto made = env.open(fresh, open_mode::create);
    if (!made) return made.error();
    // Both slots get their place on the disk now: a full one must not keep a vote from being saved.
    if (auto s = (*made)->allocate(0, k_file_bytes); !s) return s.error();
    auto fresh_file = std::unique_ptr<slot_file>(
        new slot_file(std::move(*made), 0, {initial.begin(), initial.end()}));
    if (auto s = fresh_file->save(initial); !s) return s.error();
    if (auto s = env.rename(fresh, path); !s) return s.error();
    if (auto s = env.sync_directory(parent_path(path)); !s) return s.error();
    return fresh_file;
  }
  if (!opened) return opened.error();

  std::optional<slot> newest;
  for (std::uint64_t i = 0; i < 2; ++i) {
    std::array<std::byte, k_slot_bytes> bytes{};
    auto count = (*opened)->pread(bytes, i * k_slot_distance_bytes);
    if (!count) return count.error();
    auto found = decode_slot(byte_span(bytes).first(*count));
    if (found && (!newest || found->sequence > newest->sequence)) newest = std::move(found);
  }
  if (!newest) {
    return error{errc::corruption,
                 fmt::format("{}: neither of its two slots is intact; refusing to guess", path)};
  }
  return std::unique_ptr<slot_file>(
      new slot_file(std::move(*opened), newest->sequence, std::move(newest->value)));
}

slot_file::slot_file(std::unique_ptr<file> file, std::uint64_t sequence,
                     std::vector<std::byte> value)
    : file_(std::move(file)), sequence_(sequence), value_(std::move(value)) {}

status slot_file::save(byte_span value) {
  CAIRN_CHECK(value.size() <= k_slot_value_bytes_max, "slot value of {} bytes", value.size());
  const std::uint64_t sequence = sequence_ + 1;
  const auto bytes = encode_slot(sequence, value);
  const std::array<byte_span, 1> pieces{byte_span(bytes)};
  if (auto s = file_->pwrite(pieces, sequence % 2 * k_slot_distance_bytes); !s) return s;
  if (auto s = file_->sync_data(); !s) return s;
  sequence_ = sequence;
  value_.assign(value.begin(), value.end());
  // A copy into the other slot, so that a bit that rots in one does not bring back the value
  // before. Nobody waits for it: should it get torn, the first one is intact.
  return file_->pwrite(pieces, (sequence + 1) % 2 * k_slot_distance_bytes);
}

}  // namespace cairn::storage
