#include "actors/raft_chronicle.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

using fields = std::vector<std::pair<std::string, std::string>>;

/// Refusals that follow each other within this time are one episode.
constexpr std::uint64_t k_episode_gap_ns = 2'000'000'000;
/// Links of nodes that have left are forgotten beyond this.
constexpr std::size_t k_links_max = 128;

bool power_of_two(std::uint64_t n) {
  return (n & (n - 1)) == 0;
}

std::string number(std::uint64_t n) {
  return fmt::format("{}", n);
}

}  // namespace

raft_chronicle::raft_chronicle(storage::env& clock, node_events_ptr events, const raft_peers& names,
                               std::string log, raft::node_id number, std::string self)
    : clock_(&clock),
      events_(std::move(events)),
      names_(names),
      log_(std::move(log)),
      number_(number),
      self_(std::move(self)),
      since_ms_(clock.now_ms()) {}

void raft_chronicle::add(event_kind kind, event_severity severity, std::string text,
                         std::vector<std::pair<std::string, std::string>> of) {
  if (!events_) return;
  of.emplace_back("log", log_);
  events_->add(kind, severity, "raft " + log_, std::move(text), std::move(of));
}

std::string raft_chronicle::name(raft::node_id node) const {
  if (node == raft::k_nobody) return {};
  if (node == number_ && !self_.empty()) return self_;
  auto known = names_.name_of(node);
  return known.empty() ? fmt::format("number {}", node.value()) : known;
}

std::string raft_chronicle::names_of(const raft::node_set& nodes) const {
  std::string text;
  for (const raft::node_id node : nodes)
    text += (text.empty() ? "" : ", ") + name(node);
  return text.empty() ? "none" : text;
}

std::uint64_t raft_chronicle::silence_ms(raft::node_id node) const {
  const auto found = heard_ns_.find(node);
  if (found == heard_ns_.end()) return k_unknown;
  return (clock_->monotonic_ns() - found->second) / 1'000'000;
}

// The hub's watchers learn of links in their order; what is kept is bounded by the members.
void raft_chronicle::link(const std::string& node, bool up, const std::string& reason) {
  if (links_.size() >= k_links_max && links_.count(node) == 0) {
    std::erase_if(links_, [](const auto& known) { return !known.second.up; });
    if (links_.size() >= k_links_max) return;
  }
  links_[node] = {up, clock_->monotonic_ns(), reason};
}

// --- elections -----------------------------------------------------------------------------------

void raft_chronicle::elections(const std::vector<raft::election_step>& steps) {
  for (const raft::election_step& one : steps)
    take(one);
}

// From the end of one lead to the next is one election, however many terms it takes.
election_report& raft_chronicle::record_of(const raft::election_step& step) {
  if (!elections_.empty()) {
    auto& last = elections_.back();
    if (last.leader.empty() || last.term == step.term) {
      last.term = std::max(last.term, step.term);
      return last;
    }
  }
  if (elections_.size() == k_elections_max) elections_.pop_front();
  auto& fresh = elections_.emplace_back();
  fresh.term = step.term;
  fresh.time_ms = clock_->now_ms();
  fresh.cause = step.cause;
  fresh.previous = name(step.previous);
  if (step.previous != raft::k_nobody && step.previous != number_) {
    fresh.silence_ms = silence_ms(step.previous);
  }
  fresh.detail = why(step, fresh.silence_ms);
  return fresh;
}

void raft_chronicle::take(const raft::election_step& step) {
  const bool known = !elections_.empty() && elections_.back().leader.empty();
  auto& about = record_of(step);
  const auto candidate = name(step.candidate);
  switch (step.stage) {
    case raft::election_stage::stands:
      ++about.attempts;
      about.candidate = candidate;
      return stood(step, about);
    case raft::election_stage::asks:
      // Without a pre-vote before it: the lead was handed over.
      if (about.attempts++ == 0 || step.cause == raft::election_cause::transfer) {
        about.candidate = candidate;
        return stood(step, about);
      }
      --about.attempts;
      return;
    case raft::election_stage::vacant:
      if (!candidate.empty()) about.candidate = candidate;
      if (!known) ended(step, about);
      return;
    case raft::election_stage::lost:
      if (!power_of_two(about.attempts)) return;
      add(event_kind::election, event_severity::info,
          fmt::format("{} was not elected in term {}", candidate, step.term.value()),
          {{"term", number(step.term.value())}, {"node", candidate}, {"outcome", "lost"}});
      return;
  }
}

// Whoever is cut off tries for hours: each power of two is told.
void raft_chronicle::stood(const raft::election_step& step, election_report& about) {
  if (!power_of_two(about.attempts)) return;
  const bool planned = step.cause == raft::election_cause::start ||
                       step.cause == raft::election_cause::only_voter ||
                       step.cause == raft::election_cause::transfer;
  auto text = fmt::format("{} stands for election in term {}: {}", about.candidate,
                          step.term.value(), about.detail);
  if (about.attempts > 1) text += fmt::format(" (attempt {})", about.attempts);
  fields of{{"term", number(step.term.value())},
            {"node", about.candidate},
            {"cause", std::string(to_string(step.cause))},
            {"attempt", number(about.attempts)}};
  if (!about.previous.empty()) of.emplace_back("previous", about.previous);
  if (about.silence_ms != k_unknown) of.emplace_back("silence_ms", number(about.silence_ms));
  add(event_kind::election, planned ? event_severity::info : event_severity::warning,
      std::move(text), std::move(of));
}

void raft_chronicle::ended(const raft::election_step& step, const election_report& about) {
  auto text = about.previous.empty() ? fmt::format("term {} has begun", step.term.value())
                                     : fmt::format("{} does not lead any more", about.previous);
  if (!about.candidate.empty()) {
    text += fmt::format(", {} asks for votes in term {}", about.candidate, step.term.value());
  }
  text += ": " + about.detail;
  fields of{{"term", number(step.term.value())}, {"cause", std::string(to_string(step.cause))}};
  if (!about.candidate.empty()) of.emplace_back("node", about.candidate);
  if (!about.previous.empty()) of.emplace_back("previous", about.previous);
  if (about.silence_ms != k_unknown) of.emplace_back("silence_ms", number(about.silence_ms));
  const bool planned = step.cause == raft::election_cause::start ||
                       step.cause == raft::election_cause::transfer ||
                       step.cause == raft::election_cause::leader_removed;
  add(event_kind::election, planned ? event_severity::info : event_severity::warning,
      std::move(text), std::move(of));
}

std::string raft_chronicle::why(const raft::election_step& step, std::uint64_t silence_ms) const {
  const auto previous = step.previous == number_ ? std::string("this node") : name(step.previous);
  switch (step.cause) {
    case raft::election_cause::start:
      return "no leader has been heard of since this node started";
    case raft::election_cause::no_heartbeat: {
      auto text =
          silence_ms == k_unknown
              ? fmt::format("nothing has come from {}, which led", previous)
              : fmt::format("nothing has come from {}, which led, for {} ms", previous, silence_ms);
      const auto link = links_.find(previous);
      if (link == links_.end()) return text;
      if (link->second.up) return text + ", though the link to it is up";
      const auto ago_ms = (clock_->monotonic_ns() - link->second.since_ns) / 1'000'000;
      text += fmt::format(", and the link to it went down {} ms ago", ago_ms);
      return link->second.reason.empty() ? text : text + " (" + link->second.reason + ")";
    }
    case raft::election_cause::transfer:
      return fmt::format("{} handed the lead over", previous.empty() ? "the leader" : previous);
    case raft::election_cause::lost_quorum:
      return "this node led, and no quorum answered it for an election timeout";
    case raft::election_cause::disk_stalled:
      return "this node led, and its disk did not finish a write";
    case raft::election_cause::higher_term:
      return fmt::format("another node is in term {} already", step.term.value());
    case raft::election_cause::leader_removed:
      return fmt::format("{}, which led, is no voter any more",
                         previous.empty() ? "a node" : previous);
    case raft::election_cause::only_voter:
      return "it is the only voter";
  }
  return {};
}

void raft_chronicle::lead(const raft::leadership& now) {
  const auto before = std::exchange(lead_, now);
  if (before.as != now.as) since_ms_ = clock_->now_ms();
  if (now.leader == raft::k_nobody) return;
  if (before.leader == now.leader && before.term == now.term) return;
  leader_since_ms_ = clock_->now_ms();
  const auto leader = name(now.leader);
  fields of{{"term", number(now.term.value())}, {"leader", leader}};
  auto text = fmt::format("{} leads in term {}", leader, now.term.value());
  if (!elections_.empty() && elections_.back().leader.empty()) {
    auto& election = elections_.back();
    election.leader = leader;
    election.term = now.term;
    if (!election.previous.empty()) {
      text += fmt::format(", {} led before", election.previous);
      of.emplace_back("previous", election.previous);
    }
    of.emplace_back("cause", std::string(to_string(election.cause)));
  }
  add(event_kind::leader, event_severity::info, std::move(text), std::move(of));
}

// --- members -------------------------------------------------------------------------------------

void raft_chronicle::members(const raft::configuration& before, const raft::configuration& after) {
  std::string text;
  const auto say = [&text](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  for (const raft::node_id node : after.members()) {
    if (!before.contains(node)) {
      say(fmt::format("{} joins as a {}", name(node), after.is_voter(node) ? "voter" : "learner"));
    } else if (after.is_voter(node) && !before.is_voter(node)) {
      say(fmt::format("{} is promoted to voter", name(node)));
    } else if (!after.is_voter(node) && before.is_voter(node)) {
      say(fmt::format("{} is a learner now", name(node)));
    }
  }
  for (const raft::node_id node : before.members())
    if (!after.contains(node)) say(fmt::format("{} is removed", name(node)));
  if (after.joint() && !before.joint()) {
    say(fmt::format("the voters begin to change from {} to {} (joint configuration)",
                    names_of(after.outgoing), names_of(after.voters)));
  } else if (before.joint() && !after.joint()) {
    say(fmt::format("the change is done, the voters are {}", names_of(after.voters)));
  }
  if (text.empty()) return;  // an address has changed
  add(event_kind::membership, event_severity::info, std::move(text),
      {{"voters", names_of(after.voters)},
       {"learners", names_of(after.learners)},
       {"joint", after.joint() ? "true" : "false"}});
}

// --- what goes wrong -----------------------------------------------------------------------------

void raft_chronicle::disk_full(bool full, const std::string& reason) {
  if (full) {
    add(event_kind::disk, event_severity::error,
        "the disk is full: appends are refused until there is room again, reads go on",
        {{"state", "full"}, {"reason", reason}});
  } else {
    add(event_kind::disk, event_severity::info, "the disk has room again: appends are taken",
        {{"state", "room"}});
  }
}

void raft_chronicle::backpressure(std::uint64_t refused, std::uint64_t queued_bytes,
                                  std::uint64_t queued_bytes_max) {
  const auto before = std::exchange(refused_, refused);
  const bool more = before != refused;
  const auto now_ns = clock_->monotonic_ns();
  if (more && refusing_.begun_ns == 0) {
    refusing_ = {now_ns, now_ns, before};
    add(event_kind::backpressure, event_severity::warning,
        fmt::format("appends are refused as overloaded: the queue holds {} of {} bytes",
                    queued_bytes, queued_bytes_max),
        {{"state", "begun"},
         {"queued_bytes", number(queued_bytes)},
         {"queued_bytes_max", number(queued_bytes_max)}});
  } else if (more) {
    refusing_.last_ns = now_ns;
  } else if (refusing_.begun_ns != 0 && now_ns - refusing_.last_ns >= k_episode_gap_ns) {
    const auto took_ms = (refusing_.last_ns - refusing_.begun_ns) / 1'000'000;
    const auto count = refused - refusing_.before;
    add(event_kind::backpressure, event_severity::info,
        fmt::format("appends are taken again: {} were refused within {} ms", count, took_ms),
        {{"state", "ended"}, {"refused", number(count)}, {"took_ms", number(took_ms)}});
    refusing_ = {};
  }
}

void raft_chronicle::fault(event_severity severity, const std::string& text,
                           std::vector<std::pair<std::string, std::string>> of) {
  add(event_kind::fault, severity, text, std::move(of));
}

// --- reports -------------------------------------------------------------------------------------

void raft_chronicle::fill(raft_report& report, raft::node_id vote) const {
  report.voted_for = name(vote);
  report.node = name(number_);
  report.leader = name(report.lead.leader);
  report.since_ms = since_ms_;
  report.leader_since_ms = report.lead.leader == raft::k_nobody ? 0 : leader_since_ms_;
  const raft::configuration& config = *report.members;
  for (const raft::node_id node : config.members()) {
    if (node == number_) continue;
    const auto link = links_.find(names_.name_of(node));
    auto& one = report.others.emplace_back();
    one.node = node;
    one.name = names_.name_of(node);
    one.role = raft::holds(config.voters, node)     ? "voter"
               : raft::holds(config.outgoing, node) ? "outgoing"
                                                    : "learner";
    one.linked = link != links_.end() && link->second.up;
    one.last_contact_ms = silence_ms(node);
  }
  const bool follows = report.lead.leader != raft::k_nobody && report.lead.leader != number_;
  report.last_contact_ms = follows ? silence_ms(report.lead.leader) : k_unknown;
  report.elections.assign(elections_.begin(), elections_.end());
}

}  // namespace cairn::actors
