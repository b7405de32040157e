#pragma once
// The gateway's backend of a node that is no member of a cluster yet: it says so.

#include "net/backend.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <mutex>
#include <string>

namespace cairn::apps {

/// Thread-safe. Every request about logs fails with unavailable and the reason; what operators ask
/// goes to the InspectActor.
class waiting_backend : public net::backend {
public:
  waiting_backend(net::member_info self, std::uint64_t max_record_bytes);

  [[nodiscard]] std::unique_ptr<net::backend_port> open_port(std::function<void()> wake) override;
  [[nodiscard]] const std::string& node_id() const override { return self_.id; }
  [[nodiscard]] std::vector<std::string> unready_reasons() const override;
  [[nodiscard]] std::optional<std::uint64_t> max_record_bytes(std::string_view log) const override;
  [[nodiscard]] std::optional<record_offset> next_offset(std::string_view log) const override;

  /// Who answers operators, and who wants to know of the ports. Before the first port is opened.
  void serve(caf::actor_system& system, caf::actor node, caf::actor inspect);
  [[nodiscard]] caf::actor_system* system() const { return system_; }
  [[nodiscard]] const caf::actor& node() const { return node_; }
  [[nodiscard]] const caf::actor& inspect() const { return inspect_; }

  /// What is waited for, in one sentence.
  void set_reason(std::string reason);
  [[nodiscard]] net::failure why() const;

private:
  const net::member_info self_;
  const std::uint64_t max_record_bytes_;
  caf::actor_system* system_ = nullptr;
  caf::actor node_;
  caf::actor inspect_;
  mutable std::mutex mutex_;
  std::string reason_;       // guarded by mutex_
  std::uint32_t ports_ = 0;  // guarded by mutex_
};

}  // namespace cairn::apps
