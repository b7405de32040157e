#include "net/handlers/frame_cursor.hpp"

#include <fmt/format.h>

namespace cairn::net {

void frame_cursor::reset(std::vector<record_frame> frames, record_offset start) {
  frames_ = std::move(frames);
  frame_ = 0;
  reader_.reset();
  next_ = start;
  repeat_ = false;
  failure_.reset();
}

bool frame_cursor::open_frame() {
  for (; frame_ < frames_.size(); ++frame_) {
    const record_frame& frame = frames_[frame_];
    const record_offset end = frame.base_offset.plus(frame.record_count);
    if (end <= next_) continue;
    if (next_ < frame.base_offset) {
      failure_ = failure{.code = errc::internal,
                         .detail = fmt::format("the records {} to {} are missing from a read",
                                               next_.value(), frame.base_offset.value())};
      return false;
    }
    reader_.emplace(frame.payload.span());
    if (reader_->skip(next_.since(frame.base_offset))) return true;
    failure_ = failure{
        .code = errc::corruption,
        .detail = reader_->ok() ? "a frame has too few records" : reader_->failure().detail};
    return false;
  }
  return false;
}

bool frame_cursor::next(placed_record& out) {
  if (std::exchange(repeat_, false)) {
    out = last_;
    return true;
  }
  if (failure_) return false;
  while (reader_ || open_frame()) {
    record_frame& frame = frames_[frame_];
    if (next_ == frame.base_offset.plus(frame.record_count)) {
      frame.payload = {};
      reader_.reset();
      ++frame_;
      continue;
    }
    if (!reader_->next(last_.record)) {
      failure_ =
          failure{.code = errc::corruption,
                  .detail = reader_->ok()
                                ? fmt::format("record {} is missing from its frame", next_.value())
                                : reader_->failure().detail};
      return false;
    }
    last_.offset = next_;
    last_.timestamp_ms = frame.timestamp_ms;
    next_ = next_.next();
    out = last_;
    return true;
  }
  return false;
}

}  // namespace cairn::net
