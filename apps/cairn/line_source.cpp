#include "apps/cairn/line_source.hpp"

#include "apps/cairn/context.hpp"
#include "net/records/record_format.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <simdjson.h>
#include <unistd.h>

namespace cairn::cli {

namespace {

constexpr std::size_t k_read_bytes = 256 * k_kib_bytes;
constexpr int k_poll_ms = 100;

}  // namespace

void line_batch::drop_front(std::uint64_t count) {
  CAIRN_CHECK(count <= line_count, "drop {} of {} lines", count, line_count);
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < count; ++i)
    at = body.find('\n', at) + 1;
  body.erase(0, at);
  first_line += count;
  line_count -= count;
}

line_source::line_source(int descriptor, line_source_options options)
    : descriptor_(descriptor), options_(std::move(options)) {}

error line_source::bad_line(std::string_view why) const {
  return {errc::invalid_argument, fmt::format("{}, line {}: {}", options_.name, next_line_, why)};
}

result<line_source::fill_state> line_source::fill(bool wait) {
  if (at_end_) return fill_state::end;
  pollfd input{descriptor_, POLLIN, 0};
  while (true) {
    if (interrupted().load()) return error{errc::unavailable, "interrupted"};
    const int ready = ::poll(&input, 1, wait ? k_poll_ms : 0);
    if (ready > 0) break;
    if (ready < 0 && errno != EINTR) {
      return error{errc::io_error, fmt::format("{}: {}", options_.name, std::strerror(errno))};
    }
    if (!wait) return fill_state::nothing_yet;
  }
  if (taken_ > 0) {
    buffer_.erase(0, taken_);
    scanned_ -= taken_;
    taken_ = 0;
  }
  const auto before = buffer_.size();
  buffer_.resize(before + k_read_bytes);
  const auto got = ::read(descriptor_, buffer_.data() + before, k_read_bytes);
  buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0 && errno != EINTR && errno != EAGAIN) {
    return error{errc::io_error, fmt::format("{}: {}", options_.name, std::strerror(errno))};
  }
  at_end_ = got == 0;
  return at_end_ ? fill_state::end : fill_state::more;
}

std::optional<std::string_view> line_source::take_line() {
  const void* found = std::memchr(buffer_.data() + scanned_, '\n', buffer_.size() - scanned_);
  if (found == nullptr && !(at_end_ && taken_ < buffer_.size())) {
    scanned_ = buffer_.size();
    return std::nullopt;
  }
  const auto end = found == nullptr
                       ? buffer_.size()
                       : static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
  std::string_view line(buffer_.data() + taken_, end - taken_);
  taken_ = std::min(end + 1, buffer_.size());
  scanned_ = taken_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

status line_source::add_line(std::string_view line, line_batch& batch) {
  if (options_.format == line_format::text) {
    if (!simdjson::validate_utf8(line.data(), line.size())) return bad_line("not valid UTF-8");
    net::append_json_string(batch.body, line);
  } else {
    if (line.empty()) return bad_line("is empty, where a JSON text was expected");
    const auto readable = static_cast<std::size_t>(buffer_.data() + buffer_.size() - line.data());
    if (auto good = checker_.check(line, readable); !good) {
      return bad_line("is not JSON: " + good.error().detail +
                      " (lines of plain text are appended with --format text)");
    }
    batch.body += line;
  }
  batch.body += '\n';
  ++batch.line_count;
  ++next_line_;
  return {};
}

result<std::optional<line_batch>> line_source::next(bool wait) {
  if (deferred_) return *deferred_;
  line_batch batch;
  batch.first_line = next_line_;
  while (batch.line_count < options_.batch_lines_max) {
    const auto taken_before = taken_;
    const auto scanned_before = scanned_;
    const auto line = take_line();
    if (!line) {
      if (buffer_.size() - taken_ > options_.line_bytes_max) {
        deferred_ = bad_line(fmt::format("is longer than {} bytes", options_.line_bytes_max));
        break;
      }
      // Waiting makes sense only with empty hands, or when every batch is to be full.
      auto filled = fill(options_.full_batches || (wait && batch.line_count == 0));
      if (!filled) return filled.error();
      if (*filled == fill_state::nothing_yet) return std::optional(std::move(batch));
      if (*filled == fill_state::end && taken_ == buffer_.size()) break;
      continue;
    }
    if (batch.line_count > 0 && batch.body.size() + line->size() >= options_.batch_bytes_max) {
      taken_ = taken_before;
      scanned_ = scanned_before;
      break;
    }
    const auto used = taken_ - taken_before;
    if (auto good = add_line(*line, batch); !good) {
      deferred_ = good.error();
      break;
    }
    batch.input_bytes += used;
  }
  if (batch.line_count > 0) return std::optional(std::move(batch));
  if (deferred_) return *deferred_;
  return std::optional<line_batch>();
}

status line_source::skip_lines(std::uint64_t count) {
  while (count > 0) {
    if (take_line()) {
      ++next_line_;
      --count;
      continue;
    }
    auto filled = fill(true);
    if (!filled) return filled.error();
    if (*filled == fill_state::end && taken_ == buffer_.size()) {
      return error{errc::invalid_argument,
                   fmt::format("{} has only {} lines", options_.name, next_line_ - 1)};
    }
  }
  return {};
}

}  // namespace cairn::cli
