#pragma once
// Heads as bytes, and the refusals that all codecs share. Only for the sources of this folder.

#include "storage/base/bytes.hpp"
#include "storage/base/check.hpp"
#include "storage/base/result.hpp"

#include <fmt/format.h>
#include <limits>
#include <memory>
#include <string_view>

namespace cairn::wire {

/// @pre below 2 GiB, as everything that keeps to our limits is.
template <class Message>
[[nodiscard]] shared_bytes head_bytes(const Message& message) {
  const auto size = message.ByteSizeLong();
  CAIRN_CHECK(size <= std::size_t{std::numeric_limits<int>::max()}, "head of {} bytes", size);
  auto buffer = std::make_shared_for_overwrite<std::byte[]>(size);
  CAIRN_CHECK(message.SerializeToArray(buffer.get(), static_cast<int>(size)), "head not written");
  const byte_span view(buffer.get(), size);
  return {std::move(buffer), view};
}

/// False: not such a message. @pre check_sizes() accepts `head`.
template <class Message>
[[nodiscard]] bool parse_head(const shared_bytes& head, Message& to) {
  return to.ParseFromArray(head.data(), static_cast<int>(head.size()));
}

[[nodiscard]] inline error refused(std::string_view what, std::uint64_t value) {
  return {errc::invalid_argument, fmt::format("{}: {} is out of range", what, value)};
}

}  // namespace cairn::wire
