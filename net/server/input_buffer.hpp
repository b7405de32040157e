#pragma once
// A connection's received bytes: one block that grows up to a bound and whose front is given away.

#include "storage/base/check.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace cairn::net {

/// Views of it stay valid until the next call of room(), consume() or release().
class input_buffer {
public:
  static constexpr std::size_t k_first_bytes = 4096;

  [[nodiscard]] std::string_view view() const { return {block_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] char* free_space() { return block_.get() + end_; }
  [[nodiscard]] std::size_t free_bytes() const { return capacity_ - end_; }

  /// Makes room for some more bytes, at least `least`.
  void make_room(std::size_t least) {
    if (free_bytes() >= least) return;
    const std::size_t held = size();
    if (capacity_ - held >= least && begin_ >= capacity_ / 2) {
      std::memmove(block_.get(), block_.get() + begin_, held);
    } else {
      const std::size_t grown = std::max({k_first_bytes, capacity_ * 2, held + least});
      auto block = std::make_unique_for_overwrite<char[]>(grown);
      if (held > 0) std::memcpy(block.get(), block_.get() + begin_, held);
      block_ = std::move(block);
      capacity_ = grown;
    }
    begin_ = 0;
    end_ = held;
  }

  /// `bytes` have been written to free_space().
  void commit(std::size_t bytes) {
    CAIRN_CHECK(bytes <= free_bytes(), "{} bytes for {}", bytes, free_bytes());
    end_ += bytes;
  }

  /// Gives away the first `bytes`.
  void consume(std::size_t bytes) {
    CAIRN_CHECK(bytes <= size(), "{} bytes of {}", bytes, size());
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  void append(std::string_view bytes) {
    make_room(bytes.size());
    if (!bytes.empty()) std::memcpy(free_space(), bytes.data(), bytes.size());
    commit(bytes.size());
  }

  /// Gives the memory back, so that an idle connection costs little. @pre empty().
  void release() { *this = input_buffer{}; }
  /// As release(), but a block of the first size stays.
  void shrink() {
    if (capacity_ > k_first_bytes) release();
  }

  input_buffer() = default;
  input_buffer(input_buffer&& other) noexcept { *this = std::move(other); }
  input_buffer& operator=(input_buffer&& other) noexcept {
    block_ = std::move(other.block_);
    capacity_ = std::exchange(other.capacity_, 0);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
    return *this;
  }
  ~input_buffer() = default;

private:
  std::unique_ptr<char[]> block_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace cairn::net
