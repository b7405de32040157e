#include "actors/membership/membership_actor.hpp"

#include "actors/cluster/roster.hpp"
#include "actors/wire/swim_codec.hpp"
#include "storage/base/log_line.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <limits>

namespace cairn::actors {
namespace {

// As it arrives at others (wire/swim_codec.hpp): else they would seem to know another node.
swim::member_info cleaned(swim::member_info info) {
  for (auto* text : {&info.peer, &info.http, &info.grpc, &info.version, &info.zone}) {
    *text = wire::clean_text(*text);
    if (text->size() > swim::k_text_bytes_max) text->resize(swim::k_text_bytes_max);
  }
  return info;
}

swim::config closed(swim::config config) {
  config.strangers = false;
  return config;
}

}  // namespace

membership_state::membership_state(caf::event_based_actor* self, membership_actor_config config)
    : self_(self),
      config_(std::move(config)),
      journal_(*config_.env, "membership", "membership", config_.parent),
      random_(*config_.env),
      core_(closed(config_.swim), cleaned(config_.self), random_, monotonic_ms()),
      started_ms_(config_.env->now_ms()) {}

caf::behavior membership_state::make_behavior() {
  const auto me = caf::actor_cast<caf::actor>(self_);
  config_.hub->route(peer_kind::swim, "", me);
  config_.hub->watch(me);
  if (config_.raft) self_->send(config_.raft, watch_raft{me});
  carry_out();
  return {
      [this](const peer_envelope& envelope) {
        const auto busy = journal_.enter();
        receive(envelope);
      },
      [this](caf::tick_atom, std::uint64_t generation) {
        if (generation != alarm_generation_) return;
        const auto busy = journal_.enter();
        alarm_ms_ = 0;
        core_.tick(monotonic_ms());
        carry_out();
      },
      [this](const link_changed& change) {
        const auto busy = journal_.enter();
        link(change);
      },
      [this](const raft_changed& told) {
        const auto busy = journal_.enter();
        raft_told(told);
      },
      [this](describe) {
        const auto busy = journal_.enter();
        return journal_.report(self_->id(), self_->mailbox().size(), state_line());
      },
  };
}

// --- in ------------------------------------------------------------------------------------------

void membership_state::receive(const peer_envelope& envelope) {
  if (envelope.kind != peer_kind::swim) return refuse(envelope, "it is of another kind");
  if (!config_.cluster_id.empty() && envelope.cluster_id != config_.cluster_id) {
    return refuse(envelope, fmt::format("it is of cluster {}", envelope.cluster_id));
  }
  // A member that this node has not heard of yet will ask again.
  if (members_.count(envelope.sender) == 0) return refuse(envelope, "the sender is no member here");
  const auto m = wire::decode_swim(envelope.head, envelope.body);
  if (!m) return refuse(envelope, m.error().detail);
  ++counters_.received;
  core_.receive(monotonic_ms(), envelope.sender, *m);
  carry_out();
}

// One line a power of two: a bad peer must not fill the disk.
void membership_state::refuse(const peer_envelope& envelope, const std::string& why) {
  ++counters_.refused;
  config_.view->set(counters_);
  if ((counters_.refused & (counters_.refused - 1)) != 0) return;
  const auto text = fmt::format("a message of node {} was refused: {} ({} refused so far)",
                                wire::clean_text(envelope.sender), why, counters_.refused);
  journal_.note(text);
  log_warning(log_component::membership)
      .sparsely()
      .field("peer", wire::clean_text(envelope.sender))
      .field("refused", counters_.refused)
      .say(
          "a message of another node was refused: {}. It is left out, and who answers is found out "
          "by the others' messages. If this goes on, see that all nodes run the same version and "
          "belong to one cluster.",
          why);
}

void membership_state::link(const link_changed& change) {
  tell_event(change);
  if (change.up) {
    linked_.insert(change.node);
  } else {
    linked_.erase(change.node);
  }
  if (members_.count(change.node) != 0) core_.link_changed(monotonic_ms(), change.node, change.up);
  published_version_ = std::numeric_limits<std::uint64_t>::max();
  carry_out();
}

// The configuration says who is a member; those that it drops have left.
void membership_state::raft_told(const raft_changed& told) {
  const auto context = context_of(*told.members);
  if (!context) {
    journal_.note("the configuration names nobody: " + context.error().detail);
    return;
  }
  std::set<std::string> next;
  for (const auto& one : current_members(*told.members, *context)) {
    if (one.node_id == config_.self.node_id) continue;
    next.insert(one.node_id);
    if (members_.count(one.node_id) != 0) continue;
    core_.introduce(monotonic_ms(),
                    std::make_shared<const swim::member_info>(cleaned(
                        {one.node_id, one.number, one.peer, one.http, one.grpc, {}, one.zone})));
    // The link may have come up before anybody knew that it leads to a member.
    if (linked_.count(one.node_id) != 0) core_.link_changed(monotonic_ms(), one.node_id, true);
  }
  for (const auto& node : members_) {
    if (next.count(node) != 0) continue;
    core_.retire(monotonic_ms(), node);
    told_reachable_.erase(node);
  }
  members_ = std::move(next);
  carry_out();
}

// --- out -----------------------------------------------------------------------------------------

void membership_state::carry_out() {
  auto out = core_.take();
  for (auto& m : out.messages) {
    auto parts = wire::encode_swim(m.what);
    const bool sent = config_.hub->send(m.to, parts.lane,
                                        {.cluster_id = config_.cluster_id,
                                         .sender = {},
                                         .log = {},
                                         .kind = parts.kind,
                                         .head = std::move(parts.head),
                                         .body = {}});
    ++(sent ? counters_.sent : counters_.dropped);
  }
  for (const auto& change : out.changes)
    tell(change);
  tell_reachable();
  publish();
  arm();
}

void membership_state::tell(const swim::member_changed& change) {
  since_ms_[change.node] = config_.env->now_ms();
  tell_event(change);
  if (change.is_new) {
    journal_.note(fmt::format("{} is a member, {}", change.node, to_string(change.after)));
    return;
  }
  const auto by =
      change.by.empty() || change.by == config_.self.node_id ? "" : ", says " + change.by;
  const auto text = fmt::format("{} is {} (was {}{})", change.node, to_string(change.after),
                                to_string(change.before), by);
  journal_.note(text);
  const auto outside = this->outside();
  if (change.after == swim::member_state::failed && !outside.empty()) {
    log_info(log_component::membership)
        .field("peer", change.node)
        .say("node {} does not answer, as is to be expected: {}", change.node, outside);
  } else if (change.after == swim::member_state::failed) {
    log_warning(log_component::membership)
        .field("peer", change.node)
        .field("by", change.by)
        .say(
            "node {} does not answer any more and counts as failed. It stays a member, and the "
            "log goes on as long as a majority answers. See whether it runs and can be reached; "
            "if it will not come back, remove it with 'cairn cluster remove'.",
            change.node);
  } else {
    log_info(log_component::membership)
        .field("peer", change.node)
        .field("state", to_string(change.after))
        .field("was", to_string(change.before))
        .field("by", change.by)
        .say("{}", text);
  }
}

void membership_state::tell_event(const swim::member_changed& change) {
  if (!config_.events || change.node == config_.self.node_id) return;
  const std::string after(to_string(change.after));
  const auto by = change.by.empty() ? config_.self.node_id : change.by;
  const bool bad =
      change.after == swim::member_state::suspect || change.after == swim::member_state::failed;
  auto text = fmt::format("{} is {}", change.node, after);
  if (!change.is_new) text += fmt::format(" (was {})", to_string(change.before));
  if (bad) text += by == config_.self.node_id ? ", this node found" : ", says " + by;
  if (change.after == swim::member_state::failed) {
    const auto outside = this->outside();
    text += outside.empty() ? "; it stays a member" : "; " + outside;
  }
  config_.events->add(event_kind::reachability,
                      bad ? event_severity::warning : event_severity::info, "membership",
                      std::move(text), {{"node", change.node}, {"state", after}, {"by", by}});
}

void membership_state::tell_event(const link_changed& change) {
  if (!config_.events) return;
  const auto node = wire::clean_text(change.node);
  if (change.up) {
    config_.events->add(event_kind::link, event_severity::info, "membership",
                        fmt::format("linked to {} at {}", node, change.address),
                        {{"node", node}, {"state", "up"}, {"address", change.address}});
    return;
  }
  config_.events->add(
      event_kind::link, event_severity::warning, "membership",
      fmt::format("the link to {} is lost: {}", node,
                  change.reason.empty() ? "no reason is known" : change.reason),
      {{"node", node}, {"state", "down"}, {"address", change.address}, {"reason", change.reason}});
}

void membership_state::tell_reachable() {
  if (!config_.on_reachable) return;
  for (const auto& node : members_) {
    const auto* known = core_.members().find(node);
    const bool reachable =
        known != nullptr && known->state == swim::member_state::alive && linked_.count(node) != 0;
    const auto told = told_reachable_.try_emplace(node, true).first;
    if (told->second == reachable) continue;
    told->second = reachable;
    config_.on_reachable(node, reachable);
  }
}

void membership_state::publish() {
  counters_.core = core_.counted();
  counters_.health_score = core_.health_score();
  config_.view->set(counters_);
  if (published_version_ == core_.members().version()) return;
  published_version_ = core_.members().version();
  membership_report report;
  report.members.reserve(core_.members().size());
  for (const auto& one : core_.members().all()) {
    const bool is_self = one.node() == config_.self.node_id;
    const auto since = since_ms_.find(one.node());
    report.members.push_back({*one.info, one.state, one.incarnation,
                              since == since_ms_.end() ? started_ms_ : since->second, one.by,
                              is_self || linked_.count(one.node()) != 0});
  }
  config_.view->set(std::move(report));
}

// One alarm at a time is enough: if it goes off too early, the core says when to come again.
void membership_state::arm() {
  const auto wake_ms = core_.next_wake_ms();
  if (wake_ms == std::numeric_limits<std::uint64_t>::max()) return;
  if (alarm_ms_ != 0 && alarm_ms_ <= wake_ms) return;
  constexpr std::uint64_t k_alarm_ms_min = 10;
  const auto now_ms = monotonic_ms();
  const auto after_ms = std::max(k_alarm_ms_min, wake_ms > now_ms ? wake_ms - now_ms : 0);
  alarm_ms_ = now_ms + after_ms;
  self_->delayed_send(self_, std::chrono::milliseconds(after_ms), caf::tick_atom_v,
                      ++alarm_generation_);
}

std::string membership_state::state_line() const {
  const auto& members = core_.members();
  using enum swim::member_state;
  return fmt::format("{} alive, {} suspect, {} failed, {} left; health {}; {} messages sent",
                     members.count(alive), members.count(suspect), members.count(failed),
                     members.count(left), core_.health_score(), counters_.sent);
}

}  // namespace cairn::actors
