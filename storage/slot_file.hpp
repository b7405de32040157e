#pragma once
// A small value that is replaced atomically and durably: two slots, each with sequence number and
// checksum. A save writes one, syncs, and then writes the other, so that a write cut short leaves
// the older value and rot in one slot does no harm. Layout in docs/formats/hard_state.md.

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cairn::storage {

/// Longest value a slot takes.
inline constexpr std::size_t k_slot_value_bytes_max = 480;

/// Owner: one thread.
class slot_file {
public:
  /// Opens `path`, or makes it with `initial` as its value (durable on return). corruption when
  /// both slots are bad.
  [[nodiscard]] static result<std::unique_ptr<slot_file>> open(env& env, const std::string& path,
                                                               byte_span initial);

  [[nodiscard]] byte_span value() const { return value_; }

  /// Replaces the value; durable on return. After io_error either value may be on disk: fence.
  [[nodiscard]] status save(byte_span value);

private:
  slot_file(std::unique_ptr<file> file, std::uint64_t sequence, std::vector<std::byte> value);
  std::unique_ptr<file> file_;
  std::uint64_t sequence_;  // of the newest slot; the next save goes to slot (sequence_ + 1) % 2
  std::vector<std::byte> value_;
};

}  // namespace cairn::storage
