#include "net/handlers/event_stream.hpp"

namespace cairn::net {

namespace {
constexpr std::string_view k_comment = ":\n\n";  // a sign of life that is no event
}

void event_stream::start() {
  ask(x_.parameters.read);
}

void event_stream::ask(read_request request) {
  const worker_context& context = x_.context();
  request.max_records = static_cast<std::uint32_t>(k_read_limit_max);
  request.max_bytes = k_read_step_bytes;
  x_.waits = true;
  x_.deadline = context.now + request.wait + context.limits->read_deadline;
  x_.pending = context.port->read(std::move(request),
                                  [this](outcome<read_reply> got) { on_reply(std::move(got)); });
}

void event_stream::on_reply(outcome<read_reply> got) {
  x_.settled();
  if (const auto* failed = std::get_if<failure>(&got)) return end_with(*failed);
  auto& reply = std::get<read_reply>(got);
  next_ = reply.start;
  cursor_.reset(std::move(reply.frames), reply.start);
  if (x_.status == 0) {
    x_.begin_stream(200, "text/event-stream", "Cache-Control: no-store\r\n");
    if (x_.done) return;  // HEAD
  }
  write_step();
  if (x_.out.empty()) x_.put(k_comment);
}

/// Puts out a step's worth of what the node has sent.
void event_stream::write_step() {
  text_.clear();
  placed_record placed;
  while (text_.size() < x_.context().limits->output_chunk_bytes && cursor_.next(placed)) {
    formatter_.append_sse(text_, placed.offset, placed.timestamp_ms, placed.record);
    next_ = placed.offset.next();
  }
  x_.put(text_);
  if (cursor_.failed()) end_with(cursor_.what());
}

void event_stream::resume(exchange& x) {
  write_step();
  if (!x.out.empty() || x.done) return;
  ask({.log = x.parameters.log,
       .start = read_start::at_offset,
       .offset = next_,
       .wait = x.context().limits->event_comment});
}

void event_stream::end_with(const failure& what) {
  if (x_.status == 0) return x_.fail(what);
  // The status has gone out: the problem comes as an event, and the client asks again.
  const std::string text = to_json(problem_of(what, x_.parameters.log), write_outcome::not_a_write);
  x_.put("event: error\ndata: " + text + "\n");  // the text ends its own line
  x_.finish_stream();
}

void event_stream::drain(exchange& x) {
  x.cancel_pending();
  if (x.status == 0) {
    return x.fail(failure{.code = errc::unavailable, .detail = "the node is stopping"});
  }
  x.finish_stream();
}

}  // namespace cairn::net
