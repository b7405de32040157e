#pragma once
// One HTTP/1.1 response at a time out of a stream of bytes: just what Cairn and etcd send.

#include "storage/base/result.hpp"

#include <charconv>
#include <fmt/format.h>
#include <string>
#include <string_view>

namespace cairn::bench {

class http_answer {
public:
  /// Takes what it can from the front of `in` and says how many bytes that was. After an answer was
  /// complete() the next call begins the next one. The body stays valid until then.
  [[nodiscard]] result<std::size_t> take(std::string_view in) {
    if (complete_) *this = http_answer(std::move(body_));
    std::size_t used = 0;
    if (!in_body_) {
      const auto end = in.find("\r\n\r\n");
      if (end == std::string_view::npos) return std::size_t{0};
      if (auto read = read_head(in.substr(0, end + 2)); !read) return read.error();
      used = end + 4;
    }
    while (!complete_) {
      const auto taken = chunked_ ? take_chunked(in.substr(used)) : take_plain(in.substr(used));
      if (taken == 0 && !complete_) break;
      used += taken;
    }
    return used;
  }

  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] int code() const { return code_; }
  [[nodiscard]] std::string_view body() const { return body_; }

  http_answer() = default;

private:
  /// Keeps the room of the last body.
  explicit http_answer(std::string&& room) : body_(std::move(room)) { body_.clear(); }

  static bool same_letters(std::string_view text, std::string_view lower_case) {
    if (text.size() != lower_case.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i)
      if ((text[i] | 0x20) != lower_case[i]) return false;
    return true;
  }

  result<void> read_head(std::string_view head) {
    const auto bad = [&] {
      return error{errc::invalid_argument, fmt::format("no HTTP answer: {}", head.substr(0, 200))};
    };
    if (head.size() < 12 || head.substr(0, 7) != "HTTP/1.") return bad();
    std::from_chars(head.data() + 9, head.data() + 12, code_);
    in_body_ = true;
    for (auto at = head.find("\r\n") + 2; at < head.size();) {
      const auto end = head.find("\r\n", at);
      const auto line = head.substr(at, end - at);
      const auto colon = line.find(':');
      if (colon == std::string_view::npos) return bad();
      auto value = line.substr(colon + 1);
      while (!value.empty() && value.front() == ' ')
        value.remove_prefix(1);
      if (same_letters(line.substr(0, colon), "content-length"))
        std::from_chars(value.data(), value.data() + value.size(), left_bytes_);
      else if (same_letters(line.substr(0, colon), "transfer-encoding"))
        chunked_ = same_letters(value, "chunked");
      at = end + 2;
    }
    complete_ = !chunked_ && left_bytes_ == 0;
    return {};
  }

  std::size_t take_plain(std::string_view in) {
    const auto part = in.substr(0, left_bytes_);
    body_ += part;
    left_bytes_ -= part.size();
    complete_ = left_bytes_ == 0;
    return part.size();
  }

  std::size_t take_chunked(std::string_view in) {
    if (left_bytes_ > 0) {  // within a chunk, its line end counted in
      const auto part = in.substr(0, left_bytes_);
      left_bytes_ -= part.size();
      const auto ends = left_bytes_ < 2 ? 2 - left_bytes_ : 0;
      body_ += part.substr(0, part.size() > ends ? part.size() - ends : 0);
      return part.size();
    }
    const auto end = in.find("\r\n");
    if (end == std::string_view::npos) return 0;
    std::size_t size = 0;
    std::from_chars(in.data(), in.data() + end, size, 16);
    if (size > 0) {
      left_bytes_ = size + 2;
      return end + 2;
    }
    if (in.size() < end + 4) return 0;  // no trailers are ever sent
    complete_ = true;
    return end + 4;
  }

  std::string body_;
  int code_ = 0;
  std::size_t left_bytes_ = 0;
  bool in_body_ = false;
  bool chunked_ = false;
  bool complete_ = false;
};

}  // namespace cairn::bench
