#pragma once
// The gateway's backend, made of actors. The only place where net/ and actors/ meet.

#include "apps/node_actors.hpp"
#include "net/backend.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace cairn::apps {

/// What a node says about itself and its log that does not change while it runs.
struct node_facts {
  net::log_settings settings;
};

/// Thread-safe. `actors` outlives it, and it outlives its ports.
class actor_backend : public net::backend {
public:
  actor_backend(node_actors& actors, node_facts facts);

  [[nodiscard]] std::unique_ptr<net::backend_port> open_port(std::function<void()> wake) override;
  [[nodiscard]] const std::string& node_id() const override;
  [[nodiscard]] std::vector<std::string> unready_reasons() const override;
  [[nodiscard]] std::optional<std::uint64_t> max_record_bytes(std::string_view log) const override;
  [[nodiscard]] std::optional<record_offset> next_offset(std::string_view log) const override;

  /// Node id of the leader; empty: unknown.
  [[nodiscard]] std::string leader() const { return actors_.raft_view()->get().leader; }
  [[nodiscard]] node_actors& actors() const { return actors_; }
  [[nodiscard]] const net::log_settings& settings() const { return facts_.settings; }
  [[nodiscard]] const std::string& log_name() const { return actors_.config().log.name; }

private:
  node_actors& actors_;
  mutable std::mutex mutex_;
  const node_facts facts_;
  std::uint32_t ports_ = 0;
};

}  // namespace cairn::apps
