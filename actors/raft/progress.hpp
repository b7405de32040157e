#pragma once
// What a leader knows of one peer (paper, figure 2: nextIndex, matchIndex), and how it sends to it.

#include "actors/raft/archive.hpp"
#include "actors/raft/types.hpp"

#include <cstdint>
#include <deque>

namespace cairn::raft {

enum class send_state : std::uint8_t {
  probe,      ///< where the logs agree is not known: one message at a time
  replicate,  ///< known: messages follow each other without waiting, up to the byte window
  snapshot,   ///< needs entries that are gone: waits for a snapshot to be made and taken
};

/// Of a peer that is probed.
enum class probe_step : std::uint8_t {
  fresh,    ///< nothing has been sent from here on
  waiting,  ///< the answer is due
  retry,    ///< the peer lives, but the answer has not come
};

/// Invariants: match < next; match never falls while its leader leads (append replies come late,
/// twice and in any order); the window holds what was sent in state replicate beyond match.
class progress {
public:
  explicit progress(log_index next) : next_(next) {}

  [[nodiscard]] send_state state() const { return state_; }
  [[nodiscard]] log_index match() const { return match_; }
  [[nodiscard]] log_index next() const { return next_; }
  [[nodiscard]] std::uint64_t window_bytes() const { return window_bytes_; }
  [[nodiscard]] std::size_t window_messages() const { return window_.size(); }
  [[nodiscard]] log_index snapshot_index() const { return snapshot_index_; }

  /// True if an append may be sent now.
  [[nodiscard]] bool may_send(std::uint64_t window_bytes_max) const;

  /// Entries up to `last` of `size_bytes` were sent; none if `last` is before next().
  void sent(log_index last, std::uint64_t size_bytes);
  /// The peer has everything up to `index`. @returns true if that is news.
  bool acknowledged(log_index index);
  /// The peer refused an append after `prev`; it may agree at `agreement`. @returns false if that
  /// is an old answer, which changes nothing.
  bool refused(log_index prev, log_index agreement);
  /// Storage could not read what is next: nothing is sent until resume().
  void pause() { paused_ = true; }
  /// The peer is alive: a lost probe may be sent again, and a failed read be tried again.
  void resume();
  /// The probe has left. It is likelier late than lost: to ask again takes no entries, and a peer
  /// that answers many heartbeats at once (it was cut off) does not get them as many times.
  [[nodiscard]] bool asks_again() const {
    return state_ == send_state::probe && probe_step_ == probe_step::retry;
  }

  void enter_probe(log_index next);
  void enter_snapshot(std::uint64_t request, log_index at_least);

  // Kept by the replication code; no invariant ties them together.
  bool active = false;               ///< heard of since the last quorum check
  bool was_active = true;            ///< heard of between the last two
  bool reachable = true;             ///< as far as the failure detector says
  log_index sent_commit;             ///< highest commit told
  std::uint64_t round = 0;           ///< highest heartbeat round answered
  std::uint64_t request = 0;         ///< of the load or snapshot under way; 0: none
  bool snapshot_sent = false;        ///< the snapshot has left; its answer is due
  std::uint32_t snapshot_ticks = 0;  ///< since the snapshot was asked for
  log_index match_at_heartbeat;      ///< match at the last heartbeat answered

  template <class Archive, class Self>
  static void fields(Archive& archive, Self& x) {
    pass_enum(archive, x.state_, send_state::snapshot);
    pass(archive, x.match_, x.next_, x.snapshot_index_, x.window_, x.window_bytes_);
    pass_enum(archive, x.probe_step_, probe_step::retry);
    pass(archive, x.paused_, x.active, x.was_active, x.reachable, x.sent_commit, x.round, x.request,
         x.snapshot_sent, x.snapshot_ticks, x.match_at_heartbeat);
  }

private:
  struct in_window {
    log_index last;
    std::uint64_t size_bytes;

    template <class Archive, class Self>
    static void fields(Archive& archive, Self& x) {
      pass(archive, x.last, x.size_bytes);
    }
  };

  void clear_window();

  send_state state_ = send_state::probe;
  log_index match_;
  log_index next_;
  log_index snapshot_index_;
  std::deque<in_window> window_;
  std::uint64_t window_bytes_ = 0;
  probe_step probe_step_ = probe_step::fresh;
  bool paused_ = false;
};

template <>
[[nodiscard]] inline progress blank<progress>() {
  return progress(log_index(1));
}

}  // namespace cairn::raft
