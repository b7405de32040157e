#pragma once
// The ways of the last entries of a leader, point by point: a ring of a fixed size, an element an
// entry, not an append. It tells append_times what each stage took, and a trace what became of its
// entry. Pure: times are given to it. All are env::monotonic_ns() of this node.

#include "actors/append_times.hpp"
#include "actors/raft/configuration.hpp"
#include "actors/raft/messages.hpp"
#include "actors/raft/types.hpp"
#include "storage/base/errc.hpp"
#include "storage/base/ids.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn::actors {

/// An entry that appends have become.
struct proposed_entry {
  log_index index;
  std::uint32_t appends = 0;
  std::uint32_t records = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t received_ns = 0;  ///< the earliest of its appends came; 0: not known
};

/// One write of the LogActor.
struct write_times {
  std::uint64_t begun_ns = 0;
  std::uint64_t written_ns = 0;
  std::uint64_t synced_ns = 0;
};

/// The way of an entry to a peer. 0: not yet.
struct peer_way {
  raft::node_id node;
  std::uint64_t sent_ns = 0;  ///< for the first time
  std::uint64_t acked_ns = 0;
};

/// The way of an entry. 0: not yet, or not known.
struct entry_way {
  proposed_entry entry;
  term_id term;
  std::uint64_t proposed_ns = 0;
  write_times write;
  std::uint64_t quorum_ns = 0;  ///< on so many others that with the leader they are a quorum
  std::uint64_t committed_ns = 0;
  std::uint64_t published_ns = 0;
  std::uint64_t answered_ns = 0;
  std::vector<peer_way> peers;
};

/// Asks a RaftActor about an entry that this node has proposed in `term`. Answered with
/// entry_timeline.
struct ask_timeline {
  log_index index;
  term_id term;
};
/// `code` not_found: this node has not proposed it, or too long ago. Names as the group knows them.
struct entry_timeline {
  errc code = errc::none;
  std::string detail;
  entry_way way;
  std::vector<std::string> peers;  ///< node ids of `way.peers`; empty: not known
  std::uint32_t peers_wanted = 0;  ///< members that will acknowledge it if all is well
  std::uint32_t voters = 0;
  record_offset segment;  ///< base offset of the segment that the last write went to
};

/// Owner: one thread, that of the RaftActor. Memory: k_entries_max elements, at most 128
/// KiB in all, from the first lead on.
class entry_times {
public:
  static constexpr std::size_t k_entries_max = 512;
  /// So many peers have times in the ring; of more only the quorum is known.
  static constexpr std::size_t k_peers_max = 7;

  explicit entry_times(std::shared_ptr<append_times> times);

  /// This node leads in `term` a group of `members`: called when that begins and when the members
  /// change. `name_of` says a peer's id; empty: it is not counted by name.
  void lead(term_id term, raft::node_id self, const raft::configuration& members,
            const std::function<std::string(raft::node_id)>& name_of);
  /// This node does not lead any more: what is open stays so, and is counted no further.
  void follow();
  [[nodiscard]] bool leads() const { return leads_; }

  // The points. Those that come while nobody leads are ignored, and so are entries that the ring
  // does not hold. Indexes of the same call never fall.
  void proposed(const std::vector<proposed_entry>& entries, std::uint64_t now_ns);
  /// [first, last] were handed to the link to `to`.
  void sent(raft::node_id to, log_index first, log_index last, std::uint64_t now_ns);
  void persisted(log_index first, log_index last, const write_times& write);
  /// `from` has everything up to `index` on its disk.
  void acknowledged(raft::node_id from, log_index index, std::uint64_t now_ns);
  void committed(log_index index, std::uint64_t now_ns);
  void published(log_index index, std::uint64_t now_ns);
  void answered(log_index index, std::uint64_t now_ns);

  /// What a tally of the replica says.
  void count(append_stage stage, const time_tally& tally) { counts_->of(stage).add(tally); }

  /// Nothing if the ring does not hold the entry, as one that this node has proposed in `term`.
  [[nodiscard]] std::optional<entry_way> way_of(log_index index, term_id term) const;

private:
  struct peer_times {
    std::uint64_t sent_ns = 0;
    std::uint64_t acked_ns = 0;
  };
  struct element {
    proposed_entry entry;  // index 0: unused
    term_id term;
    std::uint64_t proposed_ns = 0;
    write_times write;
    std::uint64_t quorum_ns = 0;
    std::uint64_t committed_ns = 0;
    std::uint64_t published_ns = 0;
    std::uint64_t answered_ns = 0;
    std::uint32_t acks = 0;  // of voters
    std::array<peer_times, k_peers_max> peers{};
  };
  static_assert(k_entries_max * sizeof(element) <= 128 * 1024, "as documented");
  struct peer {
    raft::node_id node;
    bool voter = false;
    std::size_t column = k_peers_max;  // in element::peers; k_peers_max: none
    log_index acked;                   // up to here
    std::shared_ptr<time_counts> counts;
  };

  [[nodiscard]] peer* find_peer(raft::node_id node);
  template <class F>
  void each(log_index after, log_index last, F visit);

  std::shared_ptr<append_times> times_;
  std::shared_ptr<stage_counts> counts_;
  std::vector<element> ring_;  // by index modulo its size; empty before the first lead
  std::vector<peer> peers_;
  bool leads_ = false;
  term_id term_;
  std::uint32_t acks_needed_ = 0;  // of peers, for a quorum with this node; 0: none
  log_index newest_;               // proposed
  log_index committed_;            // cursors: what is up to here has the point
  log_index published_;
  log_index answered_;
};

}  // namespace cairn::actors
