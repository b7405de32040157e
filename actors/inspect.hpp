#pragma once
// How CAF walks through our messages: to print them, and to serialize them should one ever leave
// the process.

#include "actors/messages.hpp"

#include <type_traits>

namespace cairn {

template <class Inspector, class Tag>
bool inspect(Inspector& f, strong_u64<Tag>& x) {
  auto get = [&x] { return x.value(); };
  auto set = [&x](std::uint64_t value) {
    x = strong_u64<Tag>(value);
    return true;
  };
  return f.apply(get, set);
}

template <class Inspector>
bool inspect(Inspector& f, errc& x) {
  auto get = [&x] { return static_cast<std::uint8_t>(x); };
  auto set = [&x](std::uint8_t value) {
    x = static_cast<errc>(value);
    return true;
  };
  return f.apply(get, set);
}

template <class Inspector>
bool inspect(Inspector& f, shared_bytes& x) {
  auto get = [&x] { return std::string(x.text()); };
  auto set = [&x](const std::string& value) {
    x = shared_bytes::copy_of(as_byte_span(value));
    return true;
  };
  return f.apply(get, set);
}

}  // namespace cairn

namespace cairn::actors {

template <class Inspector>
bool inspect(Inspector& f, log_range& x) {
  return f.object(x).fields(f.field("lowest", x.lowest), f.field("next", x.next));
}

template <class Inspector>
bool inspect(Inspector& f, append_item& x) {
  return f.object(x).fields(
      f.field("id", x.id), f.field("payload", x.payload), f.field("record_count", x.record_count),
      f.field("conditional", x.conditional), f.field("expected_offset", x.expected_offset),
      f.field("deadline_ns", x.deadline_ns), f.field("received_ns", x.received_ns));
}

template <class Inspector>
bool inspect(Inspector& f, append_batch& x) {
  return f.object(x).fields(f.field("port", x.port), f.field("items", x.items));
}

template <class Inspector>
bool inspect(Inspector& f, append_outcome& x) {
  return f.object(x).fields(
      f.field("id", x.id), f.field("code", x.code), f.field("detail", x.detail),
      f.field("offset", x.offset), f.field("count", x.count),
      f.field("timestamp_ms", x.timestamp_ms), f.field("term", x.term), f.field("index", x.index),
      f.field("replayed", x.replayed), f.field("expected_seq", x.expected_seq));
}

template <class Inspector>
bool inspect(Inspector& f, append_outcomes& x) {
  return f.object(x).fields(f.field("items", x.items), f.field("durable_on", x.durable_on),
                            f.field("replicas", x.replicas), f.field("range", x.range));
}

template <class Inspector>
bool inspect(Inspector& f, await_commit& x) {
  return f.object(x).fields(f.field("port", x.port), f.field("beyond", x.beyond));
}

template <class Inspector>
bool inspect(Inspector& f, log_advanced& x) {
  return f.object(x).fields(f.field("range", x.range));
}

template <class Inspector>
bool inspect(Inspector& f, wait_alarm& x) {
  return f.object(x).fields(f.field("generation", x.generation));
}

template <class Inspector>
bool inspect(Inspector& f, segment_read& x) {
  return f.object(x).fields(f.field("by_time", x.by_time), f.field("time_ms", x.time_ms),
                            f.field("from", x.from), f.field("bytes_max", x.bytes_max),
                            f.field("records_max", x.records_max));
}

template <class Inspector>
bool inspect(Inspector& f, cold_read& x) {
  return f.object(x).fields(f.field("request", x.request), f.field("segment", x.segment));
}

template <class Inspector>
bool inspect(Inspector& f, cold_read_done& x) {
  return f.object(x).fields(f.field("code", x.code), f.field("detail", x.detail),
                            f.field("size_bytes", x.size_bytes));
}

template <class Inspector>
bool inspect(Inspector& f, read_frame& x) {
  return f.object(x).fields(f.field("base_offset", x.base_offset),
                            f.field("record_count", x.record_count),
                            f.field("timestamp_ms", x.timestamp_ms), f.field("term", x.term),
                            f.field("index", x.index), f.field("payload", x.payload));
}

template <class Inspector>
bool inspect(Inspector& f, read_outcome& x) {
  return f.object(x).fields(f.field("code", x.code), f.field("detail", x.detail),
                            f.field("start", x.start), f.field("frames", x.frames),
                            f.field("range", x.range));
}

template <class Inspector>
bool inspect(Inspector& f, segment_sealed& x) {
  return f.object(x).fields(f.field("next_offset", x.next_offset),
                            f.field("size_bytes", x.size_bytes));
}

template <class Inspector>
bool inspect(Inspector& f, watch_log& x) {
  return f.object(x).fields(f.field("log", x.log));
}

template <class Inspector>
bool inspect(Inspector& f, chores_done& x) {
  return f.object(x).fields(f.field("count", x.count));
}

template <class Inspector>
bool inspect(Inspector& f, log_closed& x) {
  return f.object(x).fields(f.field("code", x.code), f.field("detail", x.detail));
}

template <class Inspector>
bool inspect(Inspector& f, actor_report& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("kind", x.kind), f.field("name", x.name),
                            f.field("parent", x.parent), f.field("state", x.state),
                            f.field("mailbox", x.mailbox), f.field("processed", x.processed),
                            f.field("restarts", x.restarts), f.field("busy_ns", x.busy_ns),
                            f.field("events", x.events));
}

template <class Inspector>
bool inspect(Inspector& f, actor_started& x) {
  return f.object(x).fields(f.field("who", x.who), f.field("kind", x.kind), f.field("name", x.name),
                            f.field("parent", x.parent));
}

template <class Inspector>
bool inspect(Inspector& f, actor_stopped& x) {
  return f.object(x).fields(f.field("id", x.id));
}

template <class Inspector>
bool inspect(Inspector& f, list_actors& x) {
  return f.object(x).fields(f.field("actor", x.actor));
}

template <class Inspector>
bool inspect(Inspector& f, actor_list& x) {
  return f.object(x).fields(f.field("code", x.code), f.field("detail", x.detail),
                            f.field("actors", x.actors));
}

template <class Inspector>
bool inspect(Inspector& f, list_alarm& x) {
  return f.object(x).fields(f.field("list", x.list));
}

template <class Inspector>
bool inspect(Inspector& f, segment_report& x) {
  return f.object(x).fields(f.field("base_offset", x.base_offset),
                            f.field("next_offset", x.next_offset),
                            f.field("size_bytes", x.size_bytes), f.field("sealed", x.sealed));
}

template <class Inspector>
bool inspect(Inspector& f, log_report& x) {
  return f.object(x).fields(f.field("range", x.range), f.field("size_bytes", x.size_bytes),
                            f.field("term", x.term), f.field("segments", x.segments));
}

template <class Inspector>
bool inspect(Inspector& f, log_fenced& x) {
  return f.object(x).fields(f.field("reason", x.reason));
}

/// Messages that carry nothing.
template <class T>
concept empty_message = std::is_same_v<T, describe> || std::is_same_v<T, run_chores> ||
    std::is_same_v<T, apply_retention> || std::is_same_v<T, flush_group> ||
    std::is_same_v<T, close_log> || std::is_same_v<T, ask_log>;

template <class Inspector, empty_message T>
bool inspect(Inspector& f, T& x) {
  return f.object(x).fields();
}

}  // namespace cairn::actors
