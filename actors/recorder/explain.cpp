#include "actors/recorder/explain.hpp"

#include "actors/raft/quorum.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

using raft::role;

class explainer {
public:
  explainer(const replay_step& step, const raft::core_config& config, const node_namer& name)
      : step_(step), before_(step.before), after_(step.after), config_(config), name_(name) {
    if (step.recorded->in) {
      message_ = std::get_if<raft::message>(&*step.recorded->in);
      ticked_ = std::holds_alternative<raft::tick>(*step.recorded->in);
    }
  }

  std::vector<explained_change> all() {
    roles();
    if (after_.as == before_.as) terms();
    votes();
    leaders();
    transfers();
    topic_ = change_topic::log;
    commits();
    logs();
    topic_ = change_topic::peers;
    peers();
    return std::move(lines_);
  }

private:
  template <class... Args>
  void say(fmt::format_string<Args...> text, Args&&... args) {
    lines_.push_back({topic_, fmt::format(text, std::forward<Args>(args)...)});
  }

  template <class T>
  [[nodiscard]] const T* body() const {
    return message_ == nullptr ? nullptr : std::get_if<T>(&message_->body);
  }

  // "1 (n1) of 3" would say less than who they are.
  [[nodiscard]] std::string names(const std::vector<raft::node_id>& nodes) const {
    std::string text;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i > 0) text += i + 1 == nodes.size() ? " and " : ", ";
      text += name_(nodes[i]);
    }
    return text.empty() ? "nobody" : text;
  }

  [[nodiscard]] std::string silence() const {
    const std::uint32_t ticks = before_.election_elapsed_ticks + 1;
    if (before_.leader != raft::k_nobody) {
      return fmt::format("{} ticks without a word from {}, who led term {}", ticks,
                         name_(before_.leader), before_.term.value());
    }
    return fmt::format("{} ticks without hearing of any leader in term {}", ticks,
                       before_.term.value());
  }

  [[nodiscard]] std::string no_winner() const {
    return fmt::format("its election for term {} had no winner in {} ticks", before_.term.value(),
                       before_.election_elapsed_ticks + 1);
  }

  [[nodiscard]] std::string timeout() const {
    return fmt::format("its timeout, drawn from [{}, {}), was {}", config_.election_ticks,
                       2 * config_.election_ticks, before_.election_timeout_ticks);
  }

  // The votes for us, with the one that this input brought.
  [[nodiscard]] std::vector<raft::node_id> voters_for_us() const {
    std::vector<raft::node_id> nodes;
    const auto add = [&nodes](raft::node_id node) {
      if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
    };
    for (const auto& [node, granted] : before_.votes) {
      if (granted) add(node);
    }
    const auto* vote = body<raft::vote_response>();
    if (vote != nullptr && vote->granted) add(message_->from);
    if (vote == nullptr) add(before_.self);
    std::sort(nodes.begin(), nodes.end());
    return nodes;
  }

  [[nodiscard]] std::string of_voters(std::size_t count) const {
    if (after_.config.joint()) return "a quorum of both configurations";
    const std::size_t all = after_.config.voters.size();
    return fmt::format("{} of {} voters, {} needed", count, all, raft::majority_of(all));
  }

  void roles() {
    if (after_.as == before_.as) {
      const bool again = ticked_ && after_.as == role::pre_candidate &&
                         after_.election_elapsed_ticks <= before_.election_elapsed_ticks;
      if (again) {
        say("asks once more whether it would be elected in term {}: no quorum has answered in {} "
            "ticks",
            after_.term.value() + 1, before_.election_elapsed_ticks + 1);
      }
      return;
    }
    switch (after_.as) {
      case role::pre_candidate:
        say("becomes a pre-candidate: {} ({}). It asks whether it would be elected in term {}",
            before_.as == role::candidate ? no_winner() : silence(), timeout(),
            after_.term.value() + 1);
        return;
      case role::candidate:
        return becomes_candidate();
      case role::leader:
        return becomes_leader();
      case role::follower:
        return becomes_follower();
    }
  }

  void becomes_candidate() {
    if (body<raft::timeout_now_request>() != nullptr) {
      say("becomes a candidate for term {}: {} leads and asked it to take over",
          after_.term.value(), name_(message_->from));
      return;
    }
    if (before_.as == role::pre_candidate) {
      const auto yes = voters_for_us();
      say("becomes a candidate for term {}: {} would vote for it ({})", after_.term.value(),
          names(yes), of_voters(yes.size()));
      return;
    }
    // A pre-vote that its own voice wins at once.
    say("becomes a candidate for term {}: {} ({}), and nobody else has to be asked",
        after_.term.value(), silence(), timeout());
  }

  void becomes_leader() {
    const auto yes = voters_for_us();
    say("becomes the leader of term {}: {} voted for it ({}). Its log ends at {}, with an entry of "
        "its own term that tells what is committed",
        after_.term.value(), names(yes), of_voters(yes.size()), after_.last.index.value());
  }

  void becomes_follower() {
    const std::string was(name_of(before_.as));
    if (after_.fenced && !before_.fenced) {
      say("stops for good, no {} any more: {}", was, fence_reason());
    } else if (after_.term > before_.term) {
      say("is no {} any more: {} shows term {}, above {}", was, sender(), after_.term.value(),
          before_.term.value());
    } else if (before_.as == role::leader) {
      steps_down();
    } else if (after_.leader != raft::k_nobody) {
      say("is no {} any more: {} leads term {} and sent it {}", was, name_(after_.leader),
          after_.term.value(), a_message());
    } else {
      const auto* vote = body<raft::vote_response>();
      const bool refused = vote != nullptr && !vote->granted;
      say("gives up its candidacy{}", refused ? fmt::format(": so many have refused, {} the last, "
                                                            "that no quorum is left",
                                                            name_(message_->from))
                                              : std::string());
    }
  }

  void steps_down() {
    if (ticked_ && before_.stall_ticks + 1 >= config_.disk_stall_ticks) {
      say("steps down: its disk has not finished a write for {} ticks", config_.disk_stall_ticks);
    } else if (ticked_) {
      std::vector<raft::node_id> silent;
      for (const raft::node_id node : before_.config.voters) {
        const auto peer = before_.peers.find(node);
        if (peer != before_.peers.end() && !peer->second.heard) silent.push_back(node);
      }
      say("steps down: no quorum has answered within {} ticks{}", config_.election_ticks,
          silent.empty() ? std::string() : fmt::format(" (silent: {})", names(silent)));
    } else {
      say("steps down: the configuration that is now committed is without it");
    }
  }

  [[nodiscard]] std::string sender() const {
    return message_ == nullptr ? std::string("somebody")
                               : fmt::format("{} of {}", a_message(), name_(message_->from));
  }

  // "an append-request".
  [[nodiscard]] std::string a_message() const {
    if (message_ == nullptr) return "a message";
    const std::string_view name = raft::name_of(message_->body);
    const bool vowel = std::string_view("aeiou").find(name.front()) != std::string_view::npos;
    return fmt::format("{} {}", vowel ? "an" : "a", name);
  }

  [[nodiscard]] std::string fence_reason() const {
    return message_ == nullptr ? "a write has failed, so nobody knows what is on disk"
                               : fmt::format(
                                     "{} says that more is committed than this log holds, "
                                     "which has lost what it had acknowledged",
                                     name_(message_->from));
  }

  void terms() {
    if (after_.term == before_.term) return;
    if (message_ != nullptr) {
      say("goes on in term {}, above {}: {} shows it", after_.term.value(), before_.term.value(),
          sender());
    }
  }

  void votes() {
    const auto* answer = body<raft::vote_response>();
    const bool asking = after_.as == role::pre_candidate || after_.as == role::candidate;
    if (answer != nullptr && !answer->granted && asking && after_.as == before_.as) {
      say("{} {} for it: the recording of {} says why", name_(message_->from),
          answer->pre ? "would not vote" : "does not vote", name_(message_->from));
      return;
    }
    const auto* request = body<raft::vote_request>();
    if (request == nullptr) return;
    const std::string who = name_(message_->from);
    if (!request->pre && after_.vote == message_->from &&
        (before_.vote != after_.vote || before_.term != after_.term)) {
      say("votes for {} in term {}: it has not voted in this term, and the log of {} (to {}, term "
          "{}) is not behind its own (to {}, term {})",
          who, after_.term.value(), who, request->last.index.value(), request->last.term.value(),
          after_.last.index.value(), after_.last.term.value());
      return;
    }
    const bool lease =
        before_.leader != raft::k_nobody && before_.election_elapsed_ticks < config_.election_ticks;
    if (message_->term > before_.term && lease && !request->transfer) {
      say("does not listen to {}: it heard of its leader {} {} ticks ago, less than {}", who,
          name_(before_.leader), before_.election_elapsed_ticks, config_.election_ticks);
      return;
    }
    if (message_->term < before_.term) {
      say("refuses {}: term {} is over, this is term {}", who, message_->term.value(),
          before_.term.value());
    } else if (!not_behind(request->last)) {
      say("refuses {}: its log (to {}, term {}) is behind this one (to {}, term {})", who,
          request->last.index.value(), request->last.term.value(), after_.last.index.value(),
          after_.last.term.value());
    } else if (request->pre) {
      say("would vote for {} in term {}: it hears no leader, and the log of {} is not behind its "
          "own",
          who, message_->term.value(), who);
    } else if (after_.vote != message_->from) {
      say("refuses {}: {}", who,
          after_.vote == raft::k_nobody ? std::string("it knows a leader of this term")
                                        : fmt::format("its vote in term {} is given to {}",
                                                      after_.term.value(), name_(after_.vote)));
    }
  }

  // Paper 5.4.1.
  [[nodiscard]] bool not_behind(const raft::log_position& other) const {
    return other.term > before_.last.term ||
           (other.term == before_.last.term && other.index >= before_.last.index);
  }

  void leaders() {
    const bool same = after_.leader == before_.leader;
    if (same || after_.as != role::follower || after_.leader == raft::k_nobody) return;
    if (before_.as != role::follower && after_.term == before_.term) return;  // said already
    say("follows {} in term {}: {}", name_(after_.leader), after_.term.value(),
        message_ == nullptr ? "it leads"
                            : fmt::format("only the leader of a term sends {}", a_message()));
  }

  void commits() {
    if (after_.commit == before_.commit) return;
    if (after_.as != role::leader) {
      say("commits up to {}: {} says so", after_.commit.value(),
          message_ == nullptr ? "the leader" : name_(message_->from));
      return;
    }
    std::vector<raft::node_id> have;
    for (const raft::node_id node : after_.config.voters) {
      const auto peer = after_.peers.find(node);
      const bool known = peer != after_.peers.end();
      const log_index match =
          node == after_.self ? after_.durable : (known ? peer->second.match : log_index{});
      if (match >= after_.commit) have.push_back(node);
    }
    say("commits up to {}: durable on {} ({})", after_.commit.value(), names(have),
        of_voters(have.size()));
  }

  void logs() {
    const auto* append = body<raft::append_request>();
    if (append != nullptr && after_.leader == message_->from && !append->entries.empty() &&
        after_.last == before_.last && after_.commit == before_.commit &&
        append->entries.back().index > before_.last.index) {
      say("does not take the entries: its log has {} at {}",
          append->prev.index > before_.last.index ? "nothing" : "another entry",
          append->prev.index.value());
    }
    if (after_.last.index < before_.last.index ||
        (append != nullptr && append->prev.index < before_.last.index &&
         after_.last.term > before_.last.term)) {
      say("replaces the end of its log, which was never committed, by what the leader of term {} "
          "has",
          after_.term.value());
    }
    if (after_.start.index > before_.start.index && body<raft::snapshot_request>() != nullptr) {
      say("begins its log anew behind {}: {} no longer has what it lacks",
          after_.start.index.value(), name_(message_->from));
    }
    if (after_.config_index != before_.config_index) {
      say("the configuration of entry {} is in force: voters {}{}{}", after_.config_index.value(),
          names(after_.config.voters),
          after_.config.learners.empty() ? "" : ", learners " + names(after_.config.learners),
          after_.config.joint() ? ", jointly with " + names(after_.config.outgoing) : "");
    }
  }

  void transfers() {
    if (after_.fenced && !before_.fenced && before_.as == role::follower) {
      say("stops for good: {}", fence_reason());
    }
    if (after_.transferee != raft::k_nobody && before_.transferee == raft::k_nobody) {
      say("hands the lead to {}, and takes no proposals meanwhile", name_(after_.transferee));
    }
    if (after_.transferee == raft::k_nobody && before_.transferee != raft::k_nobody &&
        after_.as == role::leader) {
      say("keeps the lead: {} did not take over within {} ticks", name_(before_.transferee),
          config_.election_ticks);
    }
    if (ticked_ && after_.stall_ticks == config_.disk_stall_ticks &&
        before_.stall_ticks < after_.stall_ticks && after_.as == before_.as) {
      say("does not stand for election until its disk finishes the write of {} ticks ago",
          after_.stall_ticks);
    }
  }

  void peers() {
    if (after_.quiesced && !before_.quiesced) say("sleeps: all members have everything");
    if (!after_.quiesced && before_.quiesced) say("wakes up");
    for (const auto& [node, peer] : after_.peers) {
      const auto was = before_.peers.find(node);
      if (was == before_.peers.end() || was->second.state == peer.state) continue;
      if (peer.state == raft::send_state::replicate) {
        say("streams to {}: their logs agree up to {}", name_(node), peer.match.value());
      } else if (peer.state == raft::send_state::probe) {
        say("probes {} from {}: where their logs agree is not known", name_(node),
            peer.next.value());
      } else {
        say("{} needs a snapshot: the entries that it lacks are gone here", name_(node));
      }
    }
  }

  const replay_step& step_;
  const raft::core_status& before_;
  const raft::core_status& after_;
  const raft::core_config& config_;
  const node_namer& name_;
  const raft::message* message_ = nullptr;
  bool ticked_ = false;
  change_topic topic_ = change_topic::election;
  std::vector<explained_change> lines_;
};

}  // namespace

std::vector<explained_change> explain(const replay_step& step, const raft::core_config& config,
                                      const node_namer& name) {
  return explainer(step, config, name).all();
}

}  // namespace cairn::actors
