#include "net/handlers/range_stream.hpp"

#include "net/handlers/handlers.hpp"
#include "net/http/json_out.hpp"

#include <algorithm>

namespace cairn::net {

range_stream::range_stream(exchange& x)
    : x_(x),
      records_left_(x.parameters.read.max_records),
      bytes_left_(x.parameters.read.max_bytes) {}

void range_stream::start() {
  x_.waits = x_.parameters.read.wait.count() > 0;
  ask(x_.parameters.read);
}

void range_stream::ask(read_request request) {
  const worker_context& context = x_.context();
  request.max_records = static_cast<std::uint32_t>(std::min(records_left_, k_read_limit_max));
  request.max_bytes = std::min(bytes_left_, k_read_step_bytes);
  x_.deadline = context.now + request.wait + context.limits->read_deadline;
  x_.pending = context.port->read(std::move(request),
                                  [this](outcome<read_reply> got) { on_reply(std::move(got)); });
}

void range_stream::on_reply(outcome<read_reply> got) {
  x_.settled();
  x_.waits = false;
  if (const auto* failed = std::get_if<failure>(&got)) {
    problem what = problem_of(*failed, x_.parameters.log);
    if (x_.parameters.read.start == read_start::at_offset) {
      what = std::move(what).with_fact("offset", x_.parameters.read.offset.value());
    }
    return x_.fail(what);
  }
  auto& reply = std::get<read_reply>(got);
  bounds_ = reply.bounds;
  next_ = reply.start;
  nothing_came_ = reply.frames.empty();
  cursor_.reset(std::move(reply.frames), reply.start);
  write_step();
}

void range_stream::resume(exchange&) {
  write_step();
}

void range_stream::drain(exchange& x) {
  if (!x.waits) return;
  x.fail(failure{.code = errc::unavailable, .detail = "the node is stopping"});
}

/// Formats until the step is full or there is nothing more. Sets `complete_`, or leaves the cursor
/// within or at the end of what the node has sent.
void range_stream::format_records() {
  const bool json = x_.parameters.format == read_format::json;
  placed_record placed;
  while (text_.size() < x_.context().limits->output_chunk_bytes) {
    if (records_left_ == 0 || (bytes_left_ == 0 && record_count_ > 0)) {
      complete_ = true;
      return;
    }
    if (!cursor_.next(placed)) {
      complete_ = !cursor_.failed() && (next_ >= bounds_.next || nothing_came_);
      return;
    }
    const std::size_t before = text_.size();
    if (json) {
      if (record_count_ > 0) text_ += ',';
      formatter_.append_json(text_, placed.offset, placed.timestamp_ms, placed.record);
    } else {
      formatter_.append_ndjson(text_, placed.offset, placed.timestamp_ms, placed.record);
    }
    const std::uint64_t size = text_.size() - before;
    if (size > bytes_left_ && record_count_ > 0) {
      text_.resize(before);
      complete_ = true;
      return;
    }
    bytes_left_ -= std::min(size, bytes_left_);
    --records_left_;
    ++record_count_;
    next_ = placed.offset.next();
  }
}

void range_stream::append_end() {
  if (x_.parameters.format != read_format::json) return;
  text_ += "],\"next_offset\":";
  append_number(text_, next_.value());
  text_ += ",\"end_offset\":";
  append_number(text_, std::max(bounds_.next, next_).value());
  text_ += "}\n";
}

void range_stream::write_step() {
  const bool json = x_.parameters.format == read_format::json;
  const std::string_view type = json ? k_json_type : std::string_view("application/x-ndjson");
  if (!std::exchange(opened_, true) && json) {
    text_ += "{\"log\":";
    append_json_lossy(text_, x_.parameters.log);
    text_ += ",\"records\":[";
  }
  format_records();
  if (cursor_.failed()) return x_.fail(cursor_.what());
  if (complete_) append_end();
  if (complete_ && x_.status == 0) return x_.answer(200, type, text_);
  if (!complete_ && text_.size() < x_.context().limits->output_chunk_bytes) {
    // The node's step was used up without filling one of ours.
    return ask({.log = x_.parameters.log, .start = read_start::at_offset, .offset = next_});
  }
  if (x_.status == 0) x_.begin_stream(200, type);
  x_.put(text_);
  text_.clear();
  if (complete_) x_.finish_stream();
}

}  // namespace cairn::net
