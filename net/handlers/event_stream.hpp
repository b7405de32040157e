#pragma once
// Server-sent events: the records of a log as they come, for ever.

#include "net/handlers/frame_cursor.hpp"
#include "net/records/record_format.hpp"
#include "net/server/exchange.hpp"

#include <string>

namespace cairn::net {

class event_stream final : public body_stream {
public:
  explicit event_stream(exchange& x) : x_(x) {}

  /// Asks for the first records without waiting, so that a bad start is answered with a problem
  /// and a good one with a head at once.
  void start();

  void resume(exchange& x) override;
  void drain(exchange& x) override;

private:
  void ask(read_request request);
  void on_reply(outcome<read_reply> got);
  void write_step();
  void end_with(const failure& what);

  exchange& x_;
  frame_cursor cursor_;
  record_formatter formatter_;
  record_offset next_;
  std::string text_;
};

}  // namespace cairn::net
