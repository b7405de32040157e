#pragma once
// Strong 64-bit ids. Two of them with different meanings cannot be mixed up, and arithmetic has a
// name.

#include <compare>
#include <cstdint>
#include <functional>

namespace cairn {

/// A 64-bit number that means one thing. `Tag` only makes the type distinct.
template <class Tag>
class strong_u64 {
public:
  constexpr strong_u64() = default;
  constexpr explicit strong_u64(std::uint64_t value) : value_(value) {}

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
  [[nodiscard]] constexpr strong_u64 plus(std::uint64_t n) const { return strong_u64(value_ + n); }
  [[nodiscard]] constexpr strong_u64 next() const { return plus(1); }

  /// Distance to an earlier id. @pre `earlier <= *this`.
  [[nodiscard]] constexpr std::uint64_t since(strong_u64 earlier) const {
    return value_ - earlier.value_;
  }

  constexpr auto operator<=>(const strong_u64&) const = default;

private:
  std::uint64_t value_ = 0;
};

/// Dense position of a record in its log, from 0.
using record_offset = strong_u64<struct record_offset_tag>;
/// Position of an entry (one frame, 0..n records) in Raft's log. The first entry has index 1; 0
/// means "none".
using log_index = strong_u64<struct log_index_tag>;
/// Raft's term. The first term is 1; 0 means "none yet".
using term_id = strong_u64<struct term_id_tag>;

/// Milliseconds since the Unix epoch, UTC. May be negative only in bad input.
using unix_ms = std::int64_t;

}  // namespace cairn

template <class Tag>
struct std::hash<cairn::strong_u64<Tag>> {
  std::size_t operator()(cairn::strong_u64<Tag> id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value());
  }
};
