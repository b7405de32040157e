#pragma once
// What the observer's threads share: the link's, the hub's, and that of whoever asks.

#include "actors/peer_envelope.hpp"
#include "actors/peer_hub.hpp"
#include "proto/cairn/v1/inspect.pb.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace cairn::console {

/// Thread-safe; its functions wait where they say so.
class observer_state {
public:
  using time_point = std::chrono::steady_clock::time_point;

  struct node {
    std::string id;  ///< empty: none
    std::string address;
  };
  enum class dialled : std::uint8_t { linked, failed, late };
  enum class heard : std::uint8_t { answered, lost, late };

  /// What waits ends within k_look_pause once `stop` is true; null: nothing ends it.
  explicit observer_state(const std::atomic<bool>* stop) : stop_(stop) {}
  static constexpr std::chrono::milliseconds k_look_pause{50};

  [[nodiscard]] bool stopped() const { return stop_ != nullptr && stop_->load(); }

  // --- what comes in -----------------------------------------------------------------------------
  /// The id of a node whose link is one too many; empty: none is.
  [[nodiscard]] std::string link(const actors::link_changed& change);
  void answer(const actors::peer_envelope& envelope);
  void dial_failed(const std::string& address, std::string reason);

  // --- what the asker wants ----------------------------------------------------------------------
  [[nodiscard]] node linked() const;
  /// Whom the link was to that was lost and that nobody has taken the place of.
  [[nodiscard]] node lost() const;
  /// Peer addresses of the members, by node id.
  [[nodiscard]] std::map<std::string, std::string> members() const;

  void begin_dial(const std::string& address);
  /// Until there is a link, the dial has failed (reason() says why), or it is `end`.
  [[nodiscard]] dialled wait_dial(const std::string& address, time_point end);
  [[nodiscard]] std::string reason(const std::string& address) const;

  /// A number for a question; its answer is kept from now on until forget().
  [[nodiscard]] std::uint64_t begin_question();
  /// Until the answer is there, the link to `via` is no more, or it is `end`.
  [[nodiscard]] heard wait_answer(std::uint64_t question, const std::string& via, time_point end,
                                  v1::InspectAnswer& to);
  void forget(std::uint64_t question);
  /// Until the link to `via` is no more, or it is `end`.
  void wait_unlinked(const std::string& via, time_point end);

  [[nodiscard]] std::vector<std::string> take_notices();

private:
  /// @pre mutex_ is held
  void came_up(const node& fresh);
  /// False: it is `end`, or somebody wants us to stop. @pre `lock` holds mutex_
  template <class Condition>
  [[nodiscard]] bool wait(std::unique_lock<std::mutex>& lock, time_point end, Condition over);
  const std::atomic<bool>* const stop_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // All guarded by mutex_.
  node linked_;
  node lost_;
  std::map<std::string, std::string> members_;
  std::map<std::string, std::string> dials_;  // address to why it failed; empty: it is under way
  std::map<std::uint64_t, std::optional<v1::InspectAnswer>> questions_;
  std::uint64_t last_question_ = 0;
  std::vector<std::string> notices_;
};

}  // namespace cairn::console
