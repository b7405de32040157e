// The state of a core as bytes and back: so that a run can be gone through again from its middle.

#include "actors/raft/archive_fields.hpp"
#include "actors/raft/core.hpp"
#include "actors/raft/invariants.hpp"

namespace cairn::raft {

namespace {

// An empty history is none.
template <class Archive, class T>
void pass_history(Archive& archive, T& configs) {
  if constexpr (Archive::k_reads) {
    std::vector<config_history::item> items;
    pass(archive, items);
    if (items.empty()) return archive.fail();
    configs = config_history(items.front());
    for (std::size_t i = 1; i < items.size() && !archive.failed(); ++i) {
      if (items[i].index <= configs.latest().index) return archive.fail();
      configs.append(items[i].index, items[i].config);
    }
  } else {
    pass(archive, configs.items());
  }
}

}  // namespace

template <class Archive, class Self>
void core::state_fields(Archive& archive, Self& x) {
  pass_history(archive, x.configs_);
  pass(archive, x.persist_, x.term_, x.vote_, x.commit_, x.visible_, x.last_timestamp_ms_,
       x.unpersisted_bytes_);
  pass_enum(archive, x.role_, role::leader);
  pass_enum(archive, x.vacancy_, election_cause::only_voter);
  pass(archive, x.previous_, x.silent_ticks_, x.leader_, x.told_, x.fenced_, x.quiesced_,
       x.election_elapsed_ticks_, x.election_timeout_ticks_, x.stall_ticks_, x.votes_,
       x.own_vote_ticket_, x.peers_, x.heartbeat_elapsed_ticks_, x.idle_ticks_, x.last_request_,
       x.proposals_, x.uncommitted_bytes_, x.membership_, x.transferee_, x.awaited_transferee_,
       x.transfer_ticks_, x.round_, x.round_due_, x.reads_, x.barred_reads_, x.forwarded_reads_,
       x.waiting_);
}

core::core(const core_config& config, std::uint64_t incarnation, log_view log,
           random_source& random)
    : config_(config),
      random_(random),
      incarnation_(incarnation),
      log_(std::move(log)),
      persist_(log_index{}),
      configs_(config_history::item{}) {}

void core::save(image_writer& to) const {
  pass(to, incarnation_);
  log_.save(to);
  state_fields(to, *this);
}

std::unique_ptr<core> core::load(const core_config& config, image_reader& from,
                                 random_source& random) {
  const bool possible = config.self != k_nobody && config.heartbeat_ticks > 0 &&
                        config.election_ticks > 2 * std::uint64_t{config.heartbeat_ticks};
  std::uint64_t incarnation = 0;
  pass(from, incarnation);
  auto log = log_view::load(from);
  if (!possible || !log) return nullptr;
  // The constructor is private.
  std::unique_ptr<core> made(new core(config, incarnation, std::move(*log), random));
  state_fields(from, *made);
  if (from.failed() || !broken_invariant(made->status(), config).empty()) return nullptr;
  return made;
}

std::uint32_t core::fingerprint() const {
  image_hash hash;
  pass(hash, term_, vote_, commit_, visible_, leader_, fenced_, quiesced_, election_elapsed_ticks_,
       election_timeout_ticks_, stall_ticks_, heartbeat_elapsed_ticks_, idle_ticks_, last_request_,
       uncommitted_bytes_, unpersisted_bytes_, transferee_, awaited_transferee_, transfer_ticks_,
       round_, round_due_, votes_, own_vote_ticket_);
  pass_enum(hash, role_, role::leader);
  const std::uint64_t counts[] = {
      proposals_.size(), reads_.size(),           barred_reads_.size(), waiting_.size(),
      peers_.size(),     forwarded_reads_.size(), log_.window_bytes(),  configs_.items().size()};
  for (const std::uint64_t count : counts)
    hash.number(count);
  for (const auto& [node, peer] : peers_) {
    hash.number(node.value());
    hash.number(peer.match().value());
    hash.number(peer.next().value());
    hash.number(static_cast<std::uint64_t>(peer.state()));
    hash.number(peer.window_bytes());
  }
  const log_index marks[] = {log_.start().index, log_.last_index(), persist_.durable(),
                             persist_.handed()};
  for (const log_index mark : marks)
    hash.number(mark.value());
  hash.number(log_.next_offset().value());
  return hash.value();
}

}  // namespace cairn::raft
