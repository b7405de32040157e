// trace.
#include "apps/console/commands.hpp"
#include "apps/console/human.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::console {

namespace {

using align = table::align;

result<document> ask_trace(asker& ask, const arguments& given) {
  auto learned = ask.new_document("trace");
  v1::InspectRequest question;
  question.mutable_trace();
  question.set_log(given.value("--log"));
  auto one = ask.ask_one(given.word(0), question);
  if (one.failure) return *one.failure;
  learned.replies.push_back(std::move(one));
  return learned;
}

/// From begin to end of `total`, as a bar of `columns` that stands where it belongs.
std::string waterfall(std::uint64_t at_ns, std::uint64_t took_ns, std::uint64_t total_ns,
                      std::size_t columns, bool utf8) {
  if (total_ns == 0) return {};
  const auto place = [&](std::uint64_t ns) {
    const double share =
        static_cast<double>(std::min(ns, total_ns)) / static_cast<double>(total_ns);
    return std::min(static_cast<std::size_t>(share * static_cast<double>(columns)), columns - 1);
  };
  const auto first = place(at_ns);
  const auto last = place(at_ns + took_ns);
  std::string text(first, ' ');
  if (took_ns == 0) return text + (utf8 ? "\u2022" : "*");
  for (auto i = first; i <= last; ++i)
    text += utf8 ? "\u2588" : "#";
  return text;
}

/// What the words of the steps leave, within what is good to look at.
std::size_t room_for_bars(const v1::Trace& trace, const screen& on) {
  constexpr std::size_t k_numbers = 2 * 8 + 5 * 2;  // two columns, and the gaps between all of them
  std::size_t node = 4;
  std::size_t actor = 5;
  std::size_t what = 4;
  for (const auto& step : trace.steps()) {
    node = std::max(node, step.node().size());
    actor = std::max(actor, step.actor().size());
    what = std::max(what, step.what().size());
  }
  const auto words = k_numbers + node + actor + what;
  const auto columns = on.bar_columns();
  return std::clamp<std::size_t>(columns > words ? columns - words : 0, 16, 40);
}

std::string print_trace(const document& learned, const arguments& /*given*/, const screen& on) {
  const auto& trace = learned.replies.front().answer.trace();
  std::uint64_t end_ns = trace.total_ns();
  for (const auto& step : trace.steps())
    end_ns = std::max(end_ns, step.at_ns() + step.took_ns());
  std::string text =
      wrapped(fmt::format("record {}: given to {}, led by {}, on the disks of {} of {} when it was "
                          "answered, after {} (entry {}, term {})",
                          count_text(trace.offset()), trace.entry_node(), trace.leader(),
                          trace.durable_on(), trace.replicas(), short_time_text(trace.total_ns()),
                          trace.index(), trace.term()),
              on.columns, 2);
  const auto bar_width = room_for_bars(trace, on);
  table list({{"AT us", align::right},
              {"TOOK us", align::right},
              {"NODE"},
              {"ACTOR"},
              {"WHAT", align::left, true},
              {"", align::left}});
  const v1::TraceStep* longest = nullptr;
  for (const auto& step : trace.steps()) {
    // The answer did not wait for what came later, such as the slower follower's word.
    const bool waited = step.at_ns() + step.took_ns() <= trace.total_ns();
    if (waited && (longest == nullptr || step.took_ns() > longest->took_ns())) longest = &step;
  }
  for (const auto& step : trace.steps()) {
    const auto us = [](std::uint64_t ns) {
      return fmt::format("{:.1f}", static_cast<double>(ns) / 1000);
    };
    list.add({us(step.at_ns()),
              step.took_ns() == 0 ? "-" : us(step.took_ns()),
              step.node(),
              printable(step.actor(), on.utf8),
              printable(step.what(), on.utf8),
              {waterfall(step.at_ns(), step.took_ns(), end_ns, bar_width, on.utf8),
               &step == longest ? tint::yellow : tint::blue}});
  }
  text += "\n" + list.text(on);
  if (longest != nullptr && longest->took_ns() > 0) {
    text += wrapped(fmt::format("longest before the answer: {} on {}, {} ({} % of the whole)",
                                printable(longest->what(), on.utf8), longest->node(),
                                short_time_text(longest->took_ns()),
                                longest->took_ns() * 100 / trace.total_ns()),
                    on.columns, 2) +
            "\n";
  }
  return text;
}

}  // namespace

void add_trace_command(std::vector<command>& to) {
  to.push_back(
      {"trace",
       "appends one record and shows where its time goes",
       "The record is a real one: it stays in the log. The way of an append goes from the "
       "node that takes it to the leader's queue, to the leader's disk and over the links to "
       "the followers' disks at the same time, and is done once a majority has it. AT: "
       "microseconds after the first step; TOOK: how long the step took, - for a moment. "
       "The longest step that the answer waited for is named below. Where the time of all "
       "appends goes is in `metrics append_stage`, as distributions.",
       {{"NODE", word_kind::node}},
       {{"--log", "LOG", word_kind::log, "another log than default"}},
       ask_trace,
       print_trace});
}

}  // namespace cairn::console
