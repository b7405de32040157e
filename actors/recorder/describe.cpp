#include "actors/recorder/describe.hpp"

#include <array>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

std::string at(const raft::log_position& position) {
  return fmt::format("{} (term {})", position.index.value(), position.term.value());
}

std::string plural(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::uint64_t payload_bytes(const std::vector<raft::entry>& entries) {
  std::uint64_t bytes = 0;
  for (const raft::entry& e : entries)
    bytes += e.payload.size();
  return bytes;
}

// "3 entries 18 to 20 (term 3), 4,100 bytes".
std::string range_of(const std::vector<raft::entry>& entries) {
  if (entries.empty()) return "no entry";
  const raft::entry& first = entries.front();
  const raft::entry& last = entries.back();
  const std::uint64_t bytes = payload_bytes(entries);
  if (entries.size() == 1) {
    return fmt::format("entry {}, {} bytes", at(first.position()), bytes);
  }
  return fmt::format("entries {} to {}, {} bytes", first.index.value(), at(last.position()), bytes);
}

struct body_text {
  std::string operator()(const raft::vote_request& b) const {
    return fmt::format("log ends at {}{}", at(b.last),
                       b.transfer ? ", asked to by its leader" : "");
  }
  std::string operator()(const raft::vote_response& b) const {
    return b.granted ? "granted" : "refused";
  }
  std::string operator()(const raft::append_request& b) const {
    return fmt::format("{} behind {}, committed {}", range_of(b.entries), at(b.prev),
                       b.commit.value());
  }
  std::string operator()(const raft::append_response& b) const {
    if (b.accepted) return fmt::format("has everything up to {}", b.index.value());
    if (b.index.value() == 0) return "shows its term";
    return fmt::format("has another entry at {}, may agree at {}", b.index.value(), at(b.hint));
  }
  std::string operator()(const raft::heartbeat_request& b) const {
    return fmt::format("round {}, committed {}{}", b.round, b.commit.value(),
                       b.quiesce ? ", go to sleep" : "");
  }
  std::string operator()(const raft::heartbeat_response& b) const {
    return fmt::format("round {}", b.round);
  }
  std::string operator()(const raft::commit_notice& b) const {
    return fmt::format("committed {}", b.commit.value());
  }
  std::string operator()(const raft::snapshot_request& b) const {
    return fmt::format("the log begins behind {}, {} bytes of state", at(b.content.last),
                       b.content.state.size());
  }
  std::string operator()(const raft::timeout_now_request&) const { return "campaign now"; }
  std::string operator()(const raft::read_index_request& b) const {
    return fmt::format("read {}", b.id.value());
  }
  std::string operator()(const raft::read_index_response& b) const {
    return b.ok ? fmt::format("read {} at {}", b.id.value(), b.index.value())
                : fmt::format("read {} refused", b.id.value());
  }
};

std::string_view kind_of(const raft::message& m) {
  const auto* request = std::get_if<raft::vote_request>(&m.body);
  const auto* response = std::get_if<raft::vote_response>(&m.body);
  if (request != nullptr && request->pre) return "pre-vote-request";
  if (response != nullptr && response->pre) return "pre-vote-response";
  return raft::name_of(m.body);
}

struct input_text {
  const node_namer& name;

  std::string operator()(const raft::tick&) const { return "tick"; }
  std::string operator()(const raft::message& m) const {
    return fmt::format("{} from {}, term {}: {}", kind_of(m), name(m.from), m.term.value(),
                       std::visit(body_text{}, m.body));
  }
  std::string operator()(const raft::propose& in) const {
    return fmt::format("propose {}: {}, {} bytes", in.id.value(), plural(in.record_count, "record"),
                       in.payload.size());
  }
  std::string operator()(const raft::change_membership& in) const {
    constexpr std::array<std::string_view, 3> k_names = {"voter", "learner", "removed"};
    std::string changes;
    for (const raft::member_change& change : in.changes) {
      changes += fmt::format("{}{} {}", changes.empty() ? "" : ", ", name(change.node),
                             k_names.at(static_cast<std::size_t>(change.what)));
    }
    return fmt::format("change of membership {}: {}", in.id.value(), changes);
  }
  std::string operator()(const raft::transfer_leadership& in) const {
    return fmt::format("hand the lead to {}", name(in.target));
  }
  std::string operator()(const raft::read_index& in) const {
    return fmt::format("linearizable read {}", in.id.value());
  }
  std::string operator()(const raft::persist_done& in) const {
    return fmt::format("write {} is durable", in.ticket.value());
  }
  std::string operator()(const raft::persist_failed&) const { return "a write has failed"; }
  std::string operator()(const raft::entries_loaded& in) const {
    return fmt::format("loaded for {}: {}", name(in.peer), range_of(in.entries));
  }
  std::string operator()(const raft::snapshot_available& in) const {
    return fmt::format("snapshot for {}: the log begins behind {}", name(in.peer),
                       at(in.content.last));
  }
  std::string operator()(const raft::log_trimmed& in) const {
    return fmt::format("entries up to {} are removed", in.last_removed.value());
  }
  std::string operator()(const raft::peer_reachable& in) const {
    return fmt::format("{} is {}", name(in.node), in.reachable ? "reachable" : "not reachable");
  }
  std::string operator()(const raft::wake&) const { return "somebody waits for the group"; }
};

std::string_view name_of(raft::notice_kind kind) {
  constexpr std::array<std::string_view, 7> k_names = {
      "message refused", "entries lost",   "the disk stalls",   "no quorum answers",
      "no member now",   "lead handed on", "lead not handed on"};
  const auto index = static_cast<std::size_t>(kind);
  return index < k_names.size() ? k_names.at(index) : "notice";
}

std::string describe_write(const raft::persist_batch& batch, const node_namer& name) {
  std::string text = fmt::format("write {}:", batch.ticket.value());
  if (batch.state) {
    text += batch.state->vote == raft::k_nobody
                ? fmt::format(" term {} without a vote,", batch.state->term.value())
                : fmt::format(" term {} with the vote for {},", batch.state->term.value(),
                              name(batch.state->vote));
  }
  if (batch.install) text += fmt::format(" snapshot at {},", at(batch.install->last));
  if (batch.truncate_from) {
    text += fmt::format(" removal of {} and all behind it,", batch.truncate_from->value());
  }
  if (!batch.entries.empty()) text += fmt::format(" {},", range_of(batch.entries));
  text.pop_back();
  return text;
}

}  // namespace

std::string_view name_of(raft::role role) {
  constexpr std::array<std::string_view, 4> k_names = {"follower", "pre-candidate", "candidate",
                                                       "leader"};
  return k_names.at(static_cast<std::size_t>(role));
}

std::string_view name_of(const raft::input& in) {
  if (const auto* m = std::get_if<raft::message>(&in)) return kind_of(*m);
  constexpr std::array<std::string_view, std::variant_size_v<raft::input>> k_names = {
      "tick",
      "message",
      "propose",
      "change-membership",
      "transfer-lead",
      "read-index",
      "persist-done",
      "persist-failed",
      "entries-loaded",
      "snapshot-available",
      "log-trimmed",
      "peer-reachable",
      "wake"};
  return k_names.at(in.index());
}

std::string describe_input(const raft::input& in, const node_namer& name) {
  return std::visit(input_text{name}, in);
}

std::string describe_message(const raft::message& m, const node_namer& name) {
  return fmt::format("{} to {}, term {}: {}", kind_of(m), name(m.to), m.term.value(),
                     std::visit(body_text{}, m.body));
}

std::vector<std::string> describe_output(const raft::ready& out, const node_namer& name) {
  std::vector<std::string> lines;
  if (out.persist) lines.push_back(describe_write(*out.persist, name));
  for (const raft::message& m : out.messages)
    lines.push_back("send " + describe_message(m, name));
  if (out.visible)
    lines.push_back(fmt::format("readers see entries up to {}", out.visible->value()));
  for (const raft::proposal_answer& answer : out.proposals) {
    switch (answer.outcome) {
      case raft::proposal_outcome::ok:
        lines.push_back(
            fmt::format("proposal {} is committed at {}", answer.id.value(), at(answer.position)));
        break;
      case raft::proposal_outcome::not_done:
        lines.push_back(
            fmt::format("proposal {} is refused: {}", answer.id.value(), answer.detail));
        break;
      case raft::proposal_outcome::unknown:
        lines.push_back(fmt::format("nobody knows what becomes of proposal {}", answer.id.value()));
        break;
    }
  }
  for (const raft::read_answer& answer : out.reads) {
    lines.push_back(answer.ok ? fmt::format("read {} may begin once {} is visible",
                                            answer.id.value(), answer.index.value())
                              : fmt::format("read {} is refused", answer.id.value()));
  }
  for (const raft::load_request& load : out.loads) {
    lines.push_back(
        fmt::format("load entries from {} for {}", load.first.value(), name(load.peer)));
  }
  for (const raft::snapshot_needed& want : out.snapshots) {
    lines.push_back(fmt::format("make a snapshot for {}", name(want.peer)));
  }
  for (const raft::notice& n : out.notices) {
    lines.push_back(
        fmt::format("notice: {}{}{}", name_of(n.kind), n.detail.empty() ? "" : ": ", n.detail));
  }
  return lines;
}

}  // namespace cairn::actors
