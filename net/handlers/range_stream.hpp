#pragma once
// The answer of a range read as JSON or NDJSON: asked of the node and written in steps, so that a
// long answer holds no more memory than a short one.

#include "net/handlers/frame_cursor.hpp"
#include "net/records/record_format.hpp"
#include "net/server/exchange.hpp"

#include <cstdint>
#include <string>

namespace cairn::net {

class range_stream final : public body_stream {
public:
  explicit range_stream(exchange& x);

  /// Asks for the first records.
  void start();

  void resume(exchange& x) override;
  void drain(exchange& x) override;

private:
  void ask(read_request request);
  void on_reply(outcome<read_reply> got);
  void write_step();
  void format_records();
  void append_end();

  exchange& x_;
  frame_cursor cursor_;
  record_formatter formatter_;
  log_bounds bounds_;
  record_offset next_;  // the record to come next
  std::uint64_t records_left_;
  std::uint64_t bytes_left_;        // of formatted records
  std::uint64_t record_count_ = 0;  // written so far
  bool opened_ = false;             // the text before the first record is written
  bool nothing_came_ = false;       // with the node's last reply
  bool complete_ = false;           // all records are formatted
  std::string text_;                // formatted, not yet put out
};

}  // namespace cairn::net
