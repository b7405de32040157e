#pragma once
// The gateway's backend of a node that is no member of a cluster yet: it says so.

#include "net/backend.hpp"

#include <mutex>
#include <string>

namespace cairn::apps {

/// Thread-safe. Every request about logs fails with unavailable and the reason.
class waiting_backend : public net::backend {
public:
  waiting_backend(net::member_info self, std::uint64_t max_record_bytes);

  [[nodiscard]] std::unique_ptr<net::backend_port> open_port(std::function<void()> wake) override;
  [[nodiscard]] const std::string& node_id() const override { return self_.id; }
  [[nodiscard]] std::vector<std::string> unready_reasons() const override;
  [[nodiscard]] std::optional<std::uint64_t> max_record_bytes(std::string_view log) const override;
  [[nodiscard]] std::optional<record_offset> next_offset(std::string_view log) const override;

  /// What is waited for, in one sentence.
  void set_reason(std::string reason);
  [[nodiscard]] net::failure why() const;
  [[nodiscard]] net::cluster_description cluster() const;

private:
  const net::member_info self_;
  const std::uint64_t max_record_bytes_;
  mutable std::mutex mutex_;
  std::string reason_;  // guarded by mutex_
};

}  // namespace cairn::apps
