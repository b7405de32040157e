#include "actors/wire/envelope_parts.hpp"

#include <cstring>
#include <fmt/format.h>
#include <memory>

namespace cairn::wire {

void body_writer::add(const shared_bytes& payload) {
  if (payload.empty()) return;
  size_bytes_ += payload.size();
  parts_.push_back(payload);
}

shared_bytes body_writer::finish() {
  const auto parts = std::exchange(parts_, {});
  const auto size = std::exchange(size_bytes_, 0);
  if (parts.empty()) return {};
  if (parts.size() == 1) return parts.front();
  auto buffer = std::make_shared_for_overwrite<std::byte[]>(size);
  std::size_t at = 0;
  for (const auto& part : parts) {
    std::memcpy(buffer.get() + at, part.data(), part.size());
    at += part.size();
  }
  const byte_span view(buffer.get(), size);
  return {std::move(buffer), view};
}

result<shared_bytes> body_reader::next(std::uint64_t size_bytes, std::string_view what) {
  if (size_bytes > left_bytes()) {
    return error{errc::invalid_argument, fmt::format("{}: {} bytes of the body, {} are left", what,
                                                     size_bytes, left_bytes())};
  }
  const auto size = static_cast<std::size_t>(size_bytes);
  auto slice = body_.slice(at_, size);
  at_ += size;
  return slice;
}

result<shared_bytes> body_reader::take(std::uint64_t size_bytes, std::string_view what) {
  auto bytes = next(size_bytes, what);
  if (!bytes) return bytes;
  if (bytes->empty()) return shared_bytes();
  if (whole_ && bytes->size() == body_.size()) return bytes;
  return shared_bytes::copy_of(bytes->span());
}

result<body_reader> body_reader::part(std::uint64_t size_bytes, std::string_view what) {
  auto bytes = next(size_bytes, what);
  if (!bytes) return bytes.error();
  body_reader reader(std::move(*bytes));
  reader.whole_ = whole_ && reader.body_.size() == body_.size();
  return reader;
}

status body_reader::at_end() const {
  if (left_bytes() == 0) return {};
  return error{errc::invalid_argument,
               fmt::format("{} bytes of the body belong to nothing", left_bytes())};
}

status check_sizes(const shared_bytes& head, const shared_bytes& body) {
  if (head.size() > k_head_bytes_max) {
    return error{errc::invalid_argument,
                 fmt::format("head of {} bytes, at most {}", head.size(), k_head_bytes_max)};
  }
  if (body.size() > k_body_bytes_max) {
    return error{errc::invalid_argument,
                 fmt::format("body of {} bytes, at most {}", body.size(), k_body_bytes_max)};
  }
  return {};
}

std::string clean_text(std::string_view text) {
  std::string clean(text.substr(0, k_detail_bytes_max));
  for (char& c : clean) {
    if (c < ' ' || c > '~') c = '?';
  }
  return clean;
}

}  // namespace cairn::wire
