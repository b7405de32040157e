#include "net/handlers/node_event_stream.hpp"

#include "net/handlers/json_members.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::string_view k_comment = ":\n\n";  // a sign of life that is no event
/// Events of one answer: about 64 KiB.
constexpr std::uint32_t k_page_events = 64;
constexpr std::chrono::milliseconds k_answer_grace{3'000};

template <class T>
bool read_number(std::string_view text, T& out, int base) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return failed == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

const std::vector<std::string_view>& event_kinds() {
  static const std::vector<std::string_view> kinds{
      "node",    "election",     "leader", "membership", "reachability", "link",
      "segment", "backpressure", "disk",   "fault",      "recorder"};
  return kinds;
}

std::optional<event_positions> parse_positions(std::string_view text) {
  event_positions out;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const auto one = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const auto colon = one.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    const auto place = one.substr(colon + 1);
    const auto dot = std::min(place.find('.'), place.size());
    event_position at;
    if (dot == place.size() || !read_number(place.substr(0, dot), at.boot, 16) ||
        !read_number(place.substr(dot + 1), at.id, 10)) {
      return std::nullopt;
    }
    out[std::string(one.substr(0, colon))] = at;
    if (out.size() > k_positions_max) return std::nullopt;
  }
  return out;
}

std::string to_text(const event_positions& positions) {
  std::string out;
  for (const auto& [node, at] : positions)
    out += fmt::format("{}{}:{:x}.{}", out.empty() ? "" : ",", node, at.boot, at.id);
  return out;
}

void append_event(std::string& out, const std::string& node, std::uint64_t boot,
                  const v1::Event& event) {
  out += '{';
  member(out, "id", fmt::format("{}:{:x}.{}", node, boot, event.id()));
  time_member(out, "time", event.time_ms());
  member(out, "node", node);
  member(out, "kind", event.kind());
  member(out, "severity", event.severity());
  member(out, "source", event.source());
  member(out, "text", event.text());
  append_json_key(out, "fields");
  out += '{';
  const std::map<std::string, std::string> fields(event.fields().begin(), event.fields().end());
  for (const auto& [name, value] : fields)
    member(out, name, value);
  out += "}}";
}

node_event_stream::node_event_stream(exchange& x, event_filter filter)
    : x_(x),
      port_(x.context().port),
      streams_(&x.context().node_event_streams),
      filter_(std::move(filter)) {}

node_event_stream::~node_event_stream() {
  if (counted_) --*streams_;
  if (members_pending_ != 0) port_->cancel(members_pending_);
  for (const auto& [node, from] : sources_)
    if (from.pending != 0) port_->cancel(from.pending);
}

void node_event_stream::start() {
  if (*streams_ >= x_.context().limits->node_event_streams) {
    return x_.fail(failure{.code = errc::overloaded,
                           .detail = fmt::format("{} streams of events are open already",
                                                 x_.context().limits->node_event_streams)});
  }
  ++*streams_;
  counted_ = true;
  x_.waits = true;
  // The node keeps to its own deadline; this one is for a node that does not.
  x_.deadline = x_.context().now + 2 * k_answer_grace + x_.context().limits->backend_grace;
  const auto& self = x_.context().node->node_id();
  if (x_.parameters.whole_cluster) {
    ask(self);
    return ask_members();
  }
  ask(x_.parameters.node.empty() ? self : x_.parameters.node);
  settle();
}

// --- questions -----------------------------------------------------------------------------------

void node_event_stream::ask_members() {
  if (members_pending_ != 0) return;
  v1::InspectRequest who;
  who.mutable_members();
  members_pending_ =
      port_->inspect(std::move(who), k_answer_grace, [this](const outcome<inspect_answer>& got) {
        members_pending_ = 0;
        on_members(got);
      });
  settle();
}

void node_event_stream::on_members(const outcome<inspect_answer>& got) {
  if (x_.done) return;
  if (const auto* failed = std::get_if<failure>(&got)) {
    if (x_.status == 0) return x_.fail(*failed);
    return settle();
  }
  for (const auto& one : std::get<inspect_answer>(got).what->members().members()) {
    if (sources_.contains(one.id()) || sources_.size() >= k_positions_max) continue;
    ask(one.id());
  }
  settle();
}

void node_event_stream::ask(const std::string& node) {
  auto& from = sources_[node];
  const auto known = at_.find(node);
  const auto wanted = filter_.after.find(node);
  const auto place = known != at_.end()              ? known->second
                     : wanted != filter_.after.end() ? wanted->second
                                                     : event_position{};
  v1::InspectRequest question;
  question.set_node(node);
  auto& events = *question.mutable_events();
  events.set_after(place.id);
  events.set_limit(k_page_events);
  const auto wait = x_.context().limits->event_comment;
  // The first answer says whether there is such a node: at once.
  events.set_wait_ms(from.met ? static_cast<std::uint32_t>(wait.count()) : 0);
  from.pending = port_->inspect(std::move(question), (from.met ? wait : wait * 0) + k_answer_grace,
                                [this, node](const outcome<inspect_answer>& got) {
                                  sources_[node].pending = 0;
                                  on_page(node, got);
                                });
}

// As long as something is pending, the session waits for it; without, it has us go on as soon as
// what was put out has been taken.
void node_event_stream::settle() {
  x_.pending = members_pending_;
  for (const auto& [node, from] : sources_) {
    if (from.pending != 0) {
      x_.pending = from.pending;
    } else if (!from.away) {
      x_.pending = 0;
      return;
    }
  }
}

void node_event_stream::resume(exchange& x) {
  // Whoever was away is asked again when this node has said something, or nothing for a while.
  if (sources_[x.context().node->node_id()].pending == 0) ask_who_is_away();
  for (auto& [node, from] : sources_)
    if (from.pending == 0 && !from.away) ask(node);
  settle();
}

void node_event_stream::ask_who_is_away() {
  for (auto& [node, from] : sources_)
    if (from.pending == 0 && from.away) ask(node);
}

// --- answers -------------------------------------------------------------------------------------

void node_event_stream::begin() {
  x_.settled();
  x_.begin_stream(200, "text/event-stream", "Cache-Control: no-store\r\n");
  if (x_.done) return;  // HEAD
  last_put_ = x_.context().now;
  x_.put(k_comment);
}

void node_event_stream::on_page(const std::string& node, const outcome<inspect_answer>& got) {
  if (x_.done) return;
  if (const auto* failed = std::get_if<failure>(&got)) return on_failure(node, *failed);
  auto& from = sources_[node];
  if (x_.status == 0) begin();
  if (x_.done) return;
  text_.clear();
  if (std::exchange(from.away, false)) {
    std::string json = "{";
    member(json, "node", node);
    put_event("reachable", json + '}');
  }
  take_page(node, std::get<inspect_answer>(got).what->events());
  from.met = true;
  const bool comment = x_.context().now - last_put_ >= x_.context().limits->event_comment;
  if (text_.empty() && comment) text_ = k_comment;
  if (!text_.empty()) {
    last_put_ = x_.context().now;
    x_.put(text_);
  } else {
    ask(node);  // nothing went out that the client would have to take first
    // Then nothing resumes us either: others may have what goes out, again and again, just while
    // this node is being asked.
    if (node == x_.context().node->node_id()) ask_who_is_away();
  }
  if (!x_.done) settle();
}

void node_event_stream::take_page(const std::string& node, const v1::EventList& page) {
  auto known = at_.find(node);
  if (known == at_.end()) {
    const auto wanted = filter_.after.find(node);
    const bool resumes = wanted != filter_.after.end();
    known = at_.emplace(node, resumes ? wanted->second : event_position{page.boot(), 0}).first;
  }
  if (known->second.boot != page.boot()) {
    // The node has been started again: its events begin anew, and so do we.
    known->second = {page.boot(), 0};
    return gap(node, page, true);
  }
  if (page.lost() > 0 && known->second.id > 0) gap(node, page, false);
  bool members_change = false;
  for (const auto& event : page.events()) {
    known->second.id = event.id();
    members_change = members_change || event.kind() == "membership";
    if (!filter_.takes(event)) continue;
    std::string json;
    append_event(json, node, page.boot(), event);
    put_event(event.kind(), json);
  }
  known->second.id = std::max(known->second.id, page.next());
  if (members_change && x_.parameters.whole_cluster) ask_members();
}

void node_event_stream::gap(const std::string& node, const v1::EventList& page, bool restarted) {
  std::string json = "{";
  member(json, "node", node);
  member(json, "restarted", restarted);
  append_json_key(json, "lost");
  append_or_null(json, restarted ? std::nullopt : std::optional<std::uint64_t>(page.lost()));
  put_event("gap", json + '}');
}

void node_event_stream::put_event(std::string_view kind, std::string_view json) {
  if (!at_.empty()) text_ += "id: " + to_text(at_) + "\n";
  text_ += fmt::format("event: {}\ndata: {}\n\n", kind, json);
}

void node_event_stream::on_failure(const std::string& node, const failure& why) {
  const auto what = to_json(problem_of(why, {}), write_outcome::not_a_write);
  if (!x_.parameters.whole_cluster || node == x_.context().node->node_id()) {
    if (x_.status == 0) return x_.fail(why);
    // The status has gone out: the problem comes as an event, and the client asks again.
    x_.put("event: error\ndata: " + what + "\n");  // the text ends its own line
    return x_.finish_stream();
  }
  auto& from = sources_[node];
  if (!std::exchange(from.away, true)) {
    text_.clear();
    std::string json = "{";
    member(json, "node", node);
    append_json_key(json, "problem");
    json += what;
    json.pop_back();  // its end of line
    put_event("unreachable", json + '}');
    last_put_ = x_.context().now;
    x_.put(text_);
  }
  if (!x_.done) settle();
}

void node_event_stream::drain(exchange& x) {
  x.cancel_pending();
  if (x.status == 0) {
    return x.fail(failure{.code = errc::unavailable, .detail = "the node is stopping"});
  }
  x.finish_stream();
}

}  // namespace cairn::net
