// log, segments, where.
#include "apps/console/commands.hpp"
#include "apps/console/human.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::console {

namespace {

using align = table::align;
/// More segments than these are shown from both ends.
constexpr std::size_t k_segments_shown_max = 40;

v1::InspectRequest log_question(const std::string& log) {
  v1::InspectRequest question;
  question.set_log(log);
  question.mutable_log_state();
  return question;
}

result<document> ask_log(asker& ask, const arguments& given) {
  auto learned = ask.new_document("log");
  auto replies = ask.ask_these(given.value("--node"), log_question(given.word(0)));
  if (!replies) return replies.error();
  learned.replies = *std::move(replies);
  return learned;
}

std::string print_log(const document& learned, const arguments& /*given*/, const screen& on) {
  table list({{"NODE"},
              {"LOWEST", align::right},
              {"NEXT", align::right},
              {"RECORDS", align::right},
              {"SIZE", align::right},
              {"SEGMENTS", align::right},
              {"TERM", align::right}});
  const v1::LogState* settings = nullptr;
  for (const auto& one : learned.replies) {
    if (one.failure) {
      list.add({one.node, "-", "-", "-", "-", "-", "-"});
      continue;
    }
    const auto& log = one.answer.log_state();
    if (settings == nullptr) settings = &log;
    list.add({one.node, count_text(log.lowest_offset()), count_text(log.next_offset()),
              count_text(log.next_offset() - std::min(log.lowest_offset(), log.next_offset())),
              bytes_text(log.size_bytes()), std::to_string(log.segments_size()),
              std::to_string(log.term())});
  }
  std::string text;
  if (settings != nullptr) {
    text = fmt::format(
        "log {}: segments of {}{}; keeps {} {}; records of at most {}", settings->log(),
        bytes_text(settings->segment_bytes()),
        settings->segment_ms() == 0 ? "" : " or " + duration_text(settings->segment_ms()),
        settings->retention_bytes() == 0 ? "all"
                                         : "at most " + bytes_text(settings->retention_bytes()),
        settings->retention_ms() == 0 ? "for ever"
                                      : "for " + duration_text(settings->retention_ms()),
        bytes_text(settings->max_record_bytes()));
    text = wrapped(text, on.columns, 2) + "\n";
  }
  return text + list.text(on) + silent_nodes_text(learned, on);
}

const v1::SegmentState* holder_of(const v1::LogState& log, std::uint64_t offset) {
  for (const auto& one : log.segments()) {
    if (offset >= one.base_offset() && offset < one.next_offset()) return &one;
  }
  return nullptr;
}

boost::json::value holds_json(const reply& from, std::uint64_t offset) {
  boost::json::object found{{"node", from.node}, {"offset", offset}};
  const auto* segment = holder_of(from.answer.log_state(), offset);
  found["found"] = segment != nullptr;
  if (segment != nullptr) {
    found["base_offset"] = segment->base_offset();
    found["next_offset"] = segment->next_offset();
    found["sealed"] = segment->sealed();
    found["actor"] = segment->actor();
  }
  return found;
}

result<document> holds(asker& ask, const std::string& log, const std::string& node,
                       const std::string& offset, std::string_view command) {
  auto learned = ask.new_document(command);
  auto replies = ask.ask_these(node, log_question(log));
  if (!replies) return replies.error();
  learned.replies = *std::move(replies);
  auto& found = learned.extra["holds"].emplace_array();
  for (const auto& one : learned.replies) {
    if (!one.failure) found.push_back(holds_json(one, arguments::number(offset, 0)));
  }
  return learned;
}

std::string print_holds(const document& learned, const std::string& word, const screen& on) {
  const auto offset = arguments::number(word, 0);
  std::string text;
  for (const auto& one : learned.replies) {
    if (one.failure) continue;
    const auto& log = one.answer.log_state();
    const auto* segment = holder_of(log, offset);
    if (segment != nullptr) {
      text += wrapped(
          fmt::format(
              "{}: record {} of {} is in segment {} (records {} to {}, {}, {}{})", one.node,
              count_text(offset), log.log(),
              on.paint(tint::bold, std::to_string(segment->base_offset())),
              count_text(segment->base_offset()), count_text(segment->next_offset() - 1),
              bytes_text(segment->size_bytes()), segment->sealed() ? "sealed" : "being written",
              segment->actor() == 0 ? std::string() : fmt::format(", actor {}", segment->actor())),
          on.columns, 4);
    } else if (offset < log.lowest_offset()) {
      text += fmt::format("{}: record {} {}: the lowest kept is {}", one.node, count_text(offset),
                          on.paint(tint::yellow, "is gone"), count_text(log.lowest_offset()));
    } else {
      text += fmt::format("{}: record {} {}: the next one will be {}", one.node, count_text(offset),
                          on.paint(tint::yellow, "is not there"), count_text(log.next_offset()));
    }
    text += "\n";
  }
  return text + silent_nodes_text(learned, on);
}

result<document> ask_segments(asker& ask, const arguments& given) {
  if (given.has("--holds")) {
    return holds(ask, given.word(0), given.value("--node"), given.value("--holds"), "segments");
  }
  auto learned = ask.new_document("segments");
  auto one = ask.ask_one(given.value("--node"), log_question(given.word(0)));
  if (one.failure) return *one.failure;
  learned.replies.push_back(std::move(one));
  return learned;
}

std::string print_segments(const document& learned, const arguments& given, const screen& on) {
  if (given.has("--holds")) return print_holds(learned, given.value("--holds"), on);
  const auto& from = learned.replies.front();
  const auto& log = from.answer.log_state();
  const auto& segments = log.segments();
  std::uint64_t largest = 0;
  for (const auto& one : segments)
    largest = std::max(largest, one.size_bytes());
  const auto count = static_cast<std::size_t>(segments.size());
  const bool folded = !given.has("--all") && count > k_segments_shown_max;
  // What the other columns leave, at 80 columns and offsets of ten digits.
  const std::size_t bar_width = on.bar_columns() > 80 ? on.bar_columns() - 56 : 24;
  table list({{"SEGMENT", align::right},
              {"LAST", align::right},
              {"RECORDS", align::right},
              {"SIZE", align::right},
              {"STATE"},
              {"", align::left, true}});
  for (std::size_t i = 0; i < count; ++i) {
    if (folded && i >= k_segments_shown_max / 2 && i + k_segments_shown_max / 2 < count) {
      if (i == k_segments_shown_max / 2) {
        list.add({"...", "", fmt::format("{} more", count - k_segments_shown_max), "", "", ""});
      }
      continue;
    }
    const auto& one = segments[static_cast<int>(i)];
    const auto records = one.next_offset() - std::min(one.base_offset(), one.next_offset());
    list.add({std::to_string(one.base_offset()),
              records == 0 ? "-" : std::to_string(one.next_offset() - 1),
              count_text(records),
              bytes_text(one.size_bytes()),
              one.sealed() ? "sealed" : "active",
              {bar(static_cast<double>(one.size_bytes()), static_cast<double>(largest), bar_width,
                   on.utf8),
               one.sealed() ? tint::blue : tint::green}});
  }
  return list.text(on) +
         on.paint(
             tint::dim,
             fmt::format("log {} on {}: {}, {}; where N says which one holds record N", log.log(),
                         from.node, count_of(count, "segment"), bytes_text(log.size_bytes()))) +
         "\n";
}

result<document> ask_where(asker& ask, const arguments& given) {
  return holds(ask, given.word(1), given.value("--node"), given.word(0), "where");
}

std::string print_where(const document& learned, const arguments& given, const screen& on) {
  return print_holds(learned, given.word(0), on);
}

}  // namespace

void add_log_commands(std::vector<command>& to) {
  const option node{"--node", "NODE", word_kind::node, "this node alone"};
  to.push_back({"log",
                "a log on every node: first and next record, size, settings",
                "NEXT is the number that the next record will get, on this node: one that is "
                "behind the others has a smaller one.",
                {{"LOG", word_kind::log}},
                {node},
                ask_log,
                print_log});
  to.push_back({"segments",
                "a bar a segment, to scale; which one holds record N (--holds N)",
                "A log is kept in files, one after the other; a segment is named by its first "
                "record. Only the active one is written. Nodes may have cut theirs at different "
                "places: the ones of the linked node are shown, unless --node names another.",
                {{"LOG", word_kind::log}},
                {{"--holds", "N", word_kind::number,
                  "says which segment holds record N, on every "
                  "node"},
                 {"--node", "NODE", word_kind::node, "the segments of this node"},
                 {"--all", "", word_kind::text, "shows more than 40"}},
                ask_segments,
                print_segments});
  to.push_back({"where",
                "which segment holds record N, on every node",
                "The same as segments --holds N.",
                {{"N", word_kind::number, true}, {"LOG", word_kind::log}},
                {node},
                ask_where,
                print_where});
}

}  // namespace cairn::console
