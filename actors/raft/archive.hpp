#pragma once
// Values as bytes and back, by one list of fields for both ways, so that they cannot differ: the
// state of a core (core::save, core::load) and the inputs and outputs of one (archive_fields.hpp).
// Layout: docs/formats/recorder.md.
//
// An archive is one of three: image_writer, image_reader, image_hash. pass(archive, x, y, ...)
// hands values through; a struct says what it consists of in a static member or a free function
// `fields(archive, x)`. Payloads of clients are not written, only their sizes.

#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"

#include <concepts>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

namespace cairn::raft {

/// Writes into a buffer of fixed size. Owner: one thread.
class image_writer {
public:
  static constexpr bool k_reads = false;
  static constexpr bool k_hashes = false;

  explicit image_writer(mutable_byte_span to) : to_(to) {}

  /// Unsigned LEB128: seven bits a byte, the lowest first; the top bit says that more follow.
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U)
      byte(static_cast<std::uint8_t>(value | 0x80U));
    byte(static_cast<std::uint8_t>(value));
  }
  void byte(std::uint8_t value) {
    if (used_ < to_.size()) {
      to_[used_++] = std::byte{value};
    } else {
      full_ = true;
    }
  }
  void raw(byte_span bytes) {
    if (bytes.size() > to_.size() - used_) {
      full_ = true;
    } else if (!bytes.empty()) {
      std::memcpy(to_.data() + used_, bytes.data(), bytes.size());
      used_ += bytes.size();
    }
  }
  /// The bytes of the payload are left out.
  void elided(const shared_bytes& payload) { number(payload.size()); }

  /// Something did not fit: what is there is of no use.
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] std::size_t size_bytes() const { return used_; }

private:
  mutable_byte_span to_;
  std::size_t used_ = 0;
  bool full_ = false;
};

/// Reads what an image_writer wrote. Anything else makes it fail: then all further values are 0.
/// Never reads beyond its bytes, and allocates in proportion to them.
class image_reader {
public:
  static constexpr bool k_reads = true;
  static constexpr bool k_hashes = false;
  /// Payloads that were left out may claim to be as large as this.
  static constexpr std::uint64_t k_payload_bytes_max = std::uint64_t{256} << 20U;

  explicit image_reader(byte_span from) : from_(from) {}

  [[nodiscard]] std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint64_t next = byte();
      if (shift == 63 && next > 1) fail();
      value |= (next & 0x7fU) << shift;
      if ((next & 0x80U) == 0) return failed_ ? 0 : value;
    }
    fail();
    return 0;
  }
  [[nodiscard]] std::uint8_t byte() {
    if (at_ >= from_.size()) {
      fail();
      return 0;
    }
    return std::to_integer<std::uint8_t>(from_[at_++]);
  }
  [[nodiscard]] byte_span raw(std::uint64_t size) {
    if (size > from_.size() - at_) {
      fail();
      return {};
    }
    at_ += size;
    return from_.subspan(at_ - size, size);
  }
  /// As many zeros as there were bytes.
  void elided(shared_bytes& payload);

  void fail() {
    if (!failed_) failed_at_ = at_;
    failed_ = true;
    at_ = from_.size();
  }
  [[nodiscard]] bool failed() const { return failed_; }
  /// Where it failed, or how far it got.
  [[nodiscard]] std::size_t position() const { return failed_ ? failed_at_ : at_; }
  [[nodiscard]] bool at_end() const { return at_ == from_.size(); }
  [[nodiscard]] std::size_t rest_bytes() const { return from_.size() - at_; }

private:
  byte_span from_;
  std::size_t at_ = 0;
  std::size_t failed_at_ = 0;
  bool failed_ = false;
  shared_bytes zeros_;
};

/// A fingerprint of the values. Payloads, timestamps and codecs are no part of it: the core passes
/// them through, and a core made from an image has lost those of the entries in memory.
class image_hash {
public:
  static constexpr bool k_reads = false;
  static constexpr bool k_hashes = true;

  void number(std::uint64_t value) {
    // The finalizer of splitmix64 (Steele, Lea, Flood 2014), chained.
    hash_ = (hash_ ^ value) * 0xbf58476d1ce4e5b9U;
    hash_ ^= hash_ >> 29U;
  }
  void byte(std::uint8_t value) { number(value); }
  void raw(byte_span bytes) {
    for (const std::byte b : bytes)
      number(std::to_integer<std::uint64_t>(b));
  }
  void elided(const shared_bytes& payload) { number(payload.size()); }
  [[nodiscard]] std::uint32_t value() const {
    return static_cast<std::uint32_t>(hash_ ^ (hash_ >> 32U));
  }

private:
  std::uint64_t hash_ = 0x9e3779b97f4a7c15U;
};

/// X is T, const or not: archives that write take const values.
template <class X, class T>
concept like = std::same_as<std::remove_const_t<X>, T>;

/// A value to read into, for types that have no empty one.
template <class T>
[[nodiscard]] T blank() {
  return T{};
}

template <class Archive, class T, class... More>
void pass(Archive& archive, T& x, More&... more);

namespace detail {

template <class T>
inline constexpr bool is_sequence = false;
template <class T>
inline constexpr bool is_sequence<std::vector<T>> = true;
template <class T>
inline constexpr bool is_sequence<std::deque<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class K, class V>
inline constexpr bool is_map<std::map<K, V>> = true;
template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;
template <class T>
inline constexpr bool is_strong = false;
template <class Tag>
inline constexpr bool is_strong<strong_u64<Tag>> = true;

template <class Archive, class T>
void pass_integer(Archive& archive, T& x) {
  using value = std::remove_const_t<T>;
  if constexpr (std::signed_integral<value>) {
    static_assert(sizeof(value) == 8);
    // Zigzag: small negative numbers are short, too.
    if constexpr (Archive::k_reads) {
      const std::uint64_t n = archive.number();
      x = static_cast<value>((n >> 1U) ^ (~(n & 1U) + 1));
    } else {
      const auto n = static_cast<std::uint64_t>(x);
      archive.number((n << 1U) ^ (x < 0 ? ~std::uint64_t{0} : 0));
    }
  } else if constexpr (Archive::k_reads) {
    const std::uint64_t n = archive.number();
    if (n > std::numeric_limits<value>::max()) archive.fail();
    x = static_cast<value>(n);
  } else {
    archive.number(x);
  }
}

template <class Archive, class T>
void pass_sequence(Archive& archive, T& x) {
  if constexpr (Archive::k_reads) {
    const std::uint64_t count = archive.number();
    x.clear();
    // Every element takes a byte at least.
    if (count > archive.rest_bytes()) return archive.fail();
    for (std::uint64_t i = 0; i < count && !archive.failed(); ++i) {
      x.push_back(blank<typename T::value_type>());
      pass(archive, x.back());
    }
  } else {
    archive.number(x.size());
    for (const auto& item : x)
      pass(archive, item);
  }
}

template <class Archive, class T>
void pass_map(Archive& archive, T& x) {
  if constexpr (Archive::k_reads) {
    const std::uint64_t count = archive.number();
    x.clear();
    if (count > archive.rest_bytes()) return archive.fail();
    for (std::uint64_t i = 0; i < count && !archive.failed(); ++i) {
      typename T::key_type key{};
      auto value = blank<typename T::mapped_type>();
      pass(archive, key, value);
      if (!x.emplace(key, std::move(value)).second) archive.fail();
    }
  } else {
    archive.number(x.size());
    for (const auto& [key, value] : x)
      pass(archive, key, value);
  }
}

template <std::size_t I = 0, class T>
void choose(T& x, std::size_t index) {
  if constexpr (I < std::variant_size_v<T>) {
    if (I == index) {
      x.template emplace<I>();
    } else {
      choose<I + 1>(x, index);
    }
  }
}

template <class Archive, class T>
void pass_variant(Archive& archive, T& x) {
  if constexpr (Archive::k_reads) {
    const std::size_t index = archive.byte();
    if (index >= std::variant_size_v<T>) return archive.fail();
    choose(x, index);
  } else {
    archive.byte(static_cast<std::uint8_t>(x.index()));
  }
  std::visit([&archive](auto& what) { pass(archive, what); }, x);
}

template <class Archive, class T>
void pass_one(Archive& archive, T& x) {
  using value = std::remove_const_t<T>;
  if constexpr (std::same_as<value, bool>) {
    if constexpr (Archive::k_reads) {
      const std::uint8_t b = archive.byte();
      if (b > 1) archive.fail();
      x = b == 1;
    } else {
      archive.byte(x ? 1 : 0);
    }
  } else if constexpr (std::integral<value>) {
    pass_integer(archive, x);
  } else if constexpr (is_strong<value>) {
    if constexpr (Archive::k_reads) {
      x = value(archive.number());
    } else {
      archive.number(x.value());
    }
  } else if constexpr (is_optional<value>) {
    if constexpr (Archive::k_reads) {
      bool there = false;
      pass(archive, there);
      x.reset();
      if (there) x = blank<typename value::value_type>();
    } else {
      archive.byte(x.has_value() ? 1 : 0);
    }
    if (x.has_value()) pass(archive, *x);
  } else if constexpr (is_sequence<value>) {
    pass_sequence(archive, x);
  } else if constexpr (is_map<value>) {
    pass_map(archive, x);
  } else if constexpr (is_variant<value>) {
    pass_variant(archive, x);
  } else if constexpr (std::is_empty_v<value>) {
    // Its kind says all.
  } else if constexpr (requires { value::fields(archive, x); }) {
    value::fields(archive, x);
  } else {
    fields(archive, x);
  }
}

}  // namespace detail

template <class Archive, class T, class... More>
void pass(Archive& archive, T& x, More&... more) {
  detail::pass_one(archive, x);
  if constexpr (sizeof...(more) > 0) pass(archive, more...);
}

/// An enumeration whose last value is `last`, as one byte.
template <class Archive, class T>
void pass_enum(Archive& archive, T& x, std::remove_const_t<T> last) {
  using value = std::remove_const_t<T>;
  if constexpr (Archive::k_reads) {
    const std::uint8_t b = archive.byte();
    if (b > static_cast<std::uint8_t>(last)) return archive.fail();
    x = static_cast<value>(b);
  } else {
    archive.byte(static_cast<std::uint8_t>(x));
  }
}

/// Bytes that are kept whole, such as a configuration's context.
template <class Archive, class T>
void pass_bytes(Archive& archive, T& x) {
  if constexpr (Archive::k_reads) {
    const std::uint64_t size = archive.number();
    x = shared_bytes::copy_of(archive.raw(size));
  } else {
    archive.number(x.size());
    archive.raw(x.span());
  }
}

}  // namespace cairn::raft
