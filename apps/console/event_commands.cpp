// events, metrics.
#include "apps/console/event_commands.hpp"

#include "apps/console/commands.hpp"
#include "apps/console/human.hpp"
#include "apps/console/to_json.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>

namespace cairn::console {

namespace {

constexpr std::size_t k_events_shown = 50;
/// A node's ring has 1024 events; a page of an answer may have fewer.
constexpr int k_pages_max = 64;

tint tint_of(const std::string& severity) {
  if (severity == "error") return tint::red;
  return severity == "warning" ? tint::yellow : tint::plain;
}

std::uint64_t number_in(const document& learned, std::string_view member) {
  const auto* found = learned.extra.if_contains({member.data(), member.size()});
  return found == nullptr ? 0 : found->to_number<std::uint64_t>();
}

result<document> ask_events(asker& ask, const arguments& given) {
  auto learned = ask.new_document("events");
  auto reader = reader_of(given);
  auto events = reader.read(ask);
  if (!events) return events.error();
  const auto limit = arguments::number(given.value("--limit"), k_events_shown);
  const std::size_t skipped = events->size() > limit ? events->size() - limit : 0;
  learned.replies = reader.silent();
  learned.told_in_extra = true;
  auto& list = learned.extra["events"].emplace_array();
  for (std::size_t i = skipped; i < events->size(); ++i)
    list.push_back(event_json((*events)[i]));
  learned.extra["earlier"] = skipped;
  learned.extra["segment_events_left_out"] = reader.left_out();
  // For people: as answers of the nodes, in their order.
  for (std::size_t i = skipped; i < events->size(); ++i) {
    reply one;
    one.node = (*events)[i].node;
    *one.answer.mutable_events()->add_events() = std::move((*events)[i].event);
    learned.replies.push_back(std::move(one));
  }
  return learned;
}

std::string print_events(const document& learned, const arguments& given, const screen& on) {
  std::string text;
  bool any = false;
  std::string day;
  for (const auto& one : learned.replies) {
    if (one.failure) continue;
    for (const auto& event : one.answer.events().events()) {
      // Lines have a time alone.
      const auto event_day = time_text(event.time_ms()).substr(0, 10);
      if (event_day != day) text += on.paint(tint::dim, event_day + " (UTC)") + "\n";
      day = event_day;
      text += event_line({one.node, event}, on);
      any = true;
    }
  }
  if (!any) {
    text += given.has("--kind") ? fmt::format("no event of the kind {}\n",
                                              printable(given.value("--kind"), on.utf8))
                                : "nothing to show\n";
  }
  const auto say = [&](const std::string& line) { text += on.paint(tint::dim, line) + "\n"; };
  if (const auto earlier = number_in(learned, "earlier"); earlier > 0) {
    say(fmt::format("{} before these; --limit N shows more", earlier));
  }
  if (const auto left_out = number_in(learned, "segment_events_left_out"); left_out > 0) {
    say(fmt::format("{} of segments left out; --all shows them", count_of(left_out, "event")));
  }
  return text + silent_nodes_text(learned, on);
}

// ---- metrics

result<document> ask_metrics(asker& ask, const arguments& given) {
  auto learned = ask.new_document("metrics");
  v1::InspectRequest question;
  question.mutable_metrics()->set_pattern(given.word(0));
  auto one = ask.ask_one(given.value("--node"), question);
  if (one.failure) return *one.failure;
  learned.replies.push_back(std::move(one));
  return learned;
}

std::string labels_text(const v1::MetricSample& sample, std::string_view without) {
  std::map<std::string, std::string> sorted(sample.labels().begin(), sample.labels().end());
  std::string text;
  for (const auto& [name, value] : sorted) {
    if (name == without) continue;
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  }
  return text;
}

std::string value_text(const std::string& family, double value) {
  const std::string_view name(family);
  if (!std::isfinite(value)) return fmt::format("{}", value);
  if (name.find("_bytes") != name.npos && !name.ends_with("_count") && value >= 1024) {
    return fmt::format("{:.0f} ({})", value, bytes_text(static_cast<std::uint64_t>(value)));
  }
  if (name.ends_with("_seconds") && value > 0 && value < 1000) {
    return short_time_text(static_cast<std::uint64_t>(value * 1e9));
  }
  if (value == std::floor(value) && std::abs(value) < 1e15) return fmt::format("{:.0f}", value);
  return fmt::format("{:.6g}", value);
}

/// A histogram's series, put together again from its samples.
struct distribution {
  std::map<double, double> cumulative;  // upper bound -> count
  double sum = 0;
  double count = 0;

  /// The upper bound of the bucket that the quantile is in.
  double bound_of(double quantile) const {
    for (const auto& [bound, below] : cumulative) {
      if (below >= quantile * count) return bound;
    }
    return std::numeric_limits<double>::infinity();
  }
};

double bound_of(const v1::MetricSample& sample) {
  const auto found = sample.labels().find("le");
  if (found == sample.labels().end() || found->second == "+Inf") {
    return std::numeric_limits<double>::infinity();
  }
  char* end = nullptr;
  return std::strtod(found->second.c_str(), &end);
}

std::string histogram_text(const v1::MetricFamily& family, const screen& on) {
  std::map<std::string, distribution> series;
  for (const auto& sample : family.samples()) {
    auto& one = series[labels_text(sample, "le")];
    if (sample.suffix() == "_bucket") one.cumulative[bound_of(sample)] = sample.value();
    if (sample.suffix() == "_sum") one.sum = sample.value();
    if (sample.suffix() == "_count") one.count = sample.value();
  }
  std::string text;
  const auto shown = [&](double value) { return value_text(family.name(), value); };
  for (const auto& [labels, one] : series) {
    const auto name = labels.empty() ? std::string() : printable(labels, on.utf8) + ": ";
    if (one.count == 0) {
      text += fmt::format("  {}none\n", name);
      continue;
    }
    text += "  " +
            wrapped(fmt::format("{}{:.0f} in all, mean {}, half below {}, 99 % below {}", name,
                                one.count, shown(one.sum / one.count), shown(one.bound_of(0.5)),
                                shown(one.bound_of(0.99))),
                    on.columns, 4, 2) +
            "\n";
  }
  return text;
}

std::string print_metrics(const document& learned, const arguments& given, const screen& on) {
  const auto& from = learned.replies.front();
  std::string text;
  for (const auto& family : from.answer.metrics().families()) {
    const auto room = on.columns == 0 ? 0 : on.columns;
    text += on.paint(tint::bold, printable(family.name(), on.utf8)) + "\n";
    text +=
        on.paint(tint::dim, "  " + wrapped(printable(family.help(), on.utf8), room, 2, 2)) + "\n";
    if (family.type() == "histogram") {
      text += histogram_text(family, on);
      continue;
    }
    for (const auto& sample : family.samples()) {
      const auto labels = printable(labels_text(sample, ""), on.utf8);
      text += fmt::format("  {}{}{}\n", labels, labels.empty() ? "" : ": ",
                          value_text(family.name(), sample.value()));
    }
  }
  if (text.empty()) {
    return fmt::format("{} has no metric whose name contains \"{}\"\n", from.node,
                       printable(given.word(0), on.utf8));
  }
  return text;
}

}  // namespace

event_reader reader_of(const arguments& given) {
  event_reader reader(given.value("--node"), given.value("--kind"));
  if (!given.has("--kind") && !given.has("--all")) reader.leave_out_segments();
  return reader;
}

event_reader::event_reader(std::string node, std::string_view kinds) : node_(std::move(node)) {
  while (!kinds.empty()) {
    const auto comma = std::min(kinds.find(','), kinds.size());
    if (comma > 0) kinds_.emplace(kinds.substr(0, comma));
    kinds.remove_prefix(std::min(comma + 1, kinds.size()));
  }
}

result<std::vector<located_event>> event_reader::read(asker& ask) {
  for (const auto& kind : kinds_) {
    if (std::find(k_event_kinds.begin(), k_event_kinds.end(), kind) != k_event_kinds.end())
      continue;
    return error{errc::invalid_argument, fmt::format("there is no kind of event \"{}\"; kinds: {}",
                                                     kind, fmt::join(k_event_kinds, ", "))};
  }
  silent_.clear();
  std::vector<located_event> found;
  std::vector<asker::member> whom{{node_, false}};
  if (node_.empty()) {
    auto members = ask.members();
    if (!members) return members.error();
    whom = *std::move(members);
  }
  read_pages(ask, std::move(whom), found);
  if (!silent_.empty() && (silent_.size() == cursors_.size() || cursors_.empty())) {
    return *silent_.front().failure;
  }
  std::stable_sort(found.begin(), found.end(), [](const located_event& a, const located_event& b) {
    return a.event.time_ms() < b.event.time_ms();
  });
  return found;
}

/// Each page of all nodes at once: one that does not answer holds up nobody else.
void event_reader::read_pages(asker& ask, std::vector<asker::member> whom,
                              std::vector<located_event>& into) {
  for (int page = 0; page < k_pages_max && !whom.empty() && !ask.interrupted(); ++page) {
    std::vector<std::pair<asker::member, v1::InspectRequest>> questions;
    for (const auto& one : whom) {
      v1::InspectRequest question;
      question.mutable_events()->set_after(cursors_[one.id].after);
      questions.emplace_back(one, std::move(question));
    }
    auto replies = ask.ask_each(questions);
    std::vector<asker::member> more;
    for (std::size_t i = 0; i < replies.size(); ++i) {
      if (take(cursors_[whom[i].id], std::move(replies[i]), into)) more.push_back(whom[i]);
    }
    whom = std::move(more);
  }
}

bool event_reader::take(cursor& at, reply one, std::vector<located_event>& into) {
  if (one.failure) {
    silent_.push_back(std::move(one));
    return false;
  }
  auto& list = *one.answer.mutable_events();
  if (at.boot != 0 && list.boot() != at.boot) {
    // The node has started anew, and so have its ids.
    at = {};
    at.boot = list.boot();
    return true;
  }
  at.boot = list.boot();
  lost_ += list.lost();
  const bool end = list.events().empty() || list.next() <= at.after;
  at.after = std::max(at.after, list.next());
  for (auto& event : *list.mutable_events()) {
    if (!kinds_.empty() && !kinds_.contains(event.kind())) continue;
    if (without_segments_ && event.kind() == "segment" && event.severity() == "info") {
      ++left_out_;
    } else {
      into.push_back({one.node, std::move(event)});
    }
  }
  return !end;
}

std::string event_line(const located_event& one, const screen& on) {
  const auto& event = one.event;
  const auto head = fmt::format("{}  {:<4} {:<12} ", clock_text(event.time_ms()), one.node,
                                printable(event.kind(), on.utf8));
  const auto said = printable(event.text(), on.utf8);
  const auto width = width_of(head);
  const auto text = on.columns > width + 20 ? wrapped(said, on.columns, width, width) : said;
  return on.paint(tint::dim, head) + on.paint(tint_of(event.severity()), text) + "\n";
}

boost::json::object event_json(const located_event& one) {
  auto object = to_json(one.event);
  object["node"] = one.node;
  return object;
}

void add_event_commands(std::vector<command>& to) {
  to.push_back({"events",
                "what has happened on the nodes; --follow waits for what happens",
                "Elections, leaders, members, links, segments, back-pressure, disks, faults: of "
                "all nodes, by time. Times are UTC, by the clock of the node that says it.\nKinds: "
                "node, election, leader, membership, reachability, link, segment, backpressure, "
                "disk, fault, recorder.\nThat segments begin and end is left out unless --all or "
                "--kind asks for it: under load it is all there would be. The same over HTTP, as a "
                "stream: GET /v1/events.",
                {},
                {{"--follow", "", word_kind::text, "goes on until Ctrl-C"},
                 {"--all", "", word_kind::text, "of segments, too"},
                 {"--kind", "KIND[,KIND...]", word_kind::event_kind, "these alone"},
                 {"--node", "NODE", word_kind::node, "of this node alone"},
                 {"--limit", "N", word_kind::number, "the newest so many (50)"}},
                ask_events,
                print_events});
  to.push_back({"metrics",
                "a node's metrics whose name contains PATTERN",
                "The ones of /metrics, for people: of a histogram the count, the mean, and the "
                "bounds that half and 99 % of the values are below.",
                {{"PATTERN", word_kind::metric}},
                {{"--node", "NODE", word_kind::node, "of this node, not of the linked one"}},
                ask_metrics,
                print_metrics});
}

}  // namespace cairn::console
