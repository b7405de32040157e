#pragma once
// Byte spans, little-endian fields and immutable shared buffers.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace cairn {

using byte_span = std::span<const std::byte>;
using mutable_byte_span = std::span<std::byte>;

static_assert(std::endian::native == std::endian::little, "on-disk fields are little-endian");

/// Writes `value` at `to`, little-endian. @pre `to` has sizeof(T) bytes.
template <class T>
void store_le(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

/// Reads a little-endian T from `from`. @pre `from` has sizeof(T) bytes.
template <class T>
[[nodiscard]] T load_le(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

[[nodiscard]] inline byte_span as_byte_span(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

[[nodiscard]] inline std::string_view as_text(byte_span bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Immutable bytes together with what keeps them alive. Cheap to copy; safe to share between
/// threads because nobody writes to them after construction. What was moved from is empty: it
/// keeps nothing alive, so it must not point anywhere either.
class shared_bytes {
public:
  shared_bytes() = default;
  shared_bytes(const shared_bytes&) = default;
  shared_bytes& operator=(const shared_bytes&) = default;
  shared_bytes(shared_bytes&& other) noexcept
      : owner_(std::move(other.owner_)), bytes_(std::exchange(other.bytes_, {})) {}
  shared_bytes& operator=(shared_bytes&& other) noexcept {
    owner_ = std::move(other.owner_);
    bytes_ = std::exchange(other.bytes_, {});
    return *this;
  }
  ~shared_bytes() = default;
  /// `owner` keeps `bytes` valid.
  shared_bytes(std::shared_ptr<const void> owner, byte_span bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  /// A copy of `bytes` with an owner of its own.
  [[nodiscard]] static shared_bytes copy_of(byte_span bytes) {
    auto buffer = std::make_shared_for_overwrite<std::byte[]>(bytes.size());
    if (!bytes.empty()) std::memcpy(buffer.get(), bytes.data(), bytes.size());
    const byte_span view(buffer.get(), bytes.size());
    return {std::move(buffer), view};
  }

  /// Part of these bytes under the same owner. @pre `first + size <= this->size()`.
  [[nodiscard]] shared_bytes slice(std::size_t first, std::size_t size) const {
    return {owner_, bytes_.subspan(first, size)};
  }

  [[nodiscard]] byte_span span() const { return bytes_; }
  [[nodiscard]] std::string_view text() const { return as_text(bytes_); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] const std::byte* data() const { return bytes_.data(); }

private:
  std::shared_ptr<const void> owner_;
  byte_span bytes_;
};

}  // namespace cairn
