#pragma once
// The real inspector: a CAF program of its own that links to one node as an observer
// (docs/protocol/peer.md), never as a member, and to another one when that is gone.

#include "apps/console/inspector.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::console {

struct observer_config {
  std::vector<std::string> addresses;        ///< peer addresses, "host:port", tried in this order
  std::chrono::milliseconds dial{1'500};     ///< for one address, from its look-up to its welcome
  std::chrono::milliseconds silence{3'000};  ///< nothing from the node, not even a heartbeat: gone
  /// Once true, what waits ends early (unavailable, "interrupted"). Outlives the observer; may be
  /// null.
  const std::atomic<bool>* interrupted = nullptr;
  std::function<void(std::string_view)> log;  ///< what the link has to say; null: nothing
};

/// Where a node listens that was started without flags, then where scripts/up puts three of them.
[[nodiscard]] std::vector<std::string> default_addresses();
/// "host:port,host:port". invalid_argument names the part that is no address.
[[nodiscard]] result<std::vector<std::string>> parse_addresses(std::string_view list);

class observer : public inspector {
public:
  /// Dials nobody yet. From now on the process ignores SIGPIPE, as apps/peer_hub.hpp wants it.
  /// @pre config.addresses is not empty
  [[nodiscard]] static result<std::unique_ptr<observer>> start(observer_config config);
  ~observer() override;
  observer(const observer&) = delete;
  observer& operator=(const observer&) = delete;

  /// Links to the first of the addresses that answers, each tried once. Nothing to do if there is a
  /// link. unavailable: none within `deadline`; the detail says who was tried and why each failed.
  [[nodiscard]] status connect(std::chrono::milliseconds deadline);

  /// When the node goes away in the middle, the question is put to another member within the same
  /// deadline, unless it changes something (trace): then outcome_unknown. Dials as connect() does,
  /// first the other members that this link has heard of, and again and again with pauses until
  /// `deadline` when there has been a link before.
  [[nodiscard]] result<v1::InspectAnswer> ask(const std::string& node, v1::InspectRequest question,
                                              std::chrono::milliseconds deadline) override;
  [[nodiscard]] std::vector<result<v1::InspectAnswer>> ask_each(
      std::vector<asked> questions) override;
  [[nodiscard]] std::string via() const override;
  [[nodiscard]] std::vector<std::string> take_notices() override;

private:
  class impl;
  explicit observer(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

}  // namespace cairn::console
