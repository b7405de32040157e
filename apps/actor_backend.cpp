#include "apps/actor_backend.hpp"

#include "apps/actor_port.hpp"

#include <fmt/format.h>

namespace cairn::apps {

actor_backend::actor_backend(node_actors& actors, node_facts facts)
    : actors_(actors), facts_(std::move(facts)) {}

std::unique_ptr<net::backend_port> actor_backend::open_port(std::function<void()> wake) {
  std::uint32_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = ports_++;
  }
  return std::make_unique<actor_port>(*this, fmt::format("gateway-{}", number), std::move(wake));
}

const std::string& actor_backend::node_id() const {
  return actors_.config().node_id;
}

std::vector<std::string> actor_backend::unready_reasons() const {
  auto reasons = actors_.gate()->unready_reasons(actors_.env().monotonic_ns());
  if (auto why = actors_.cluster_view()->unready(); !why.empty()) reasons.push_back(std::move(why));
  return reasons;
}

std::optional<std::uint64_t> actor_backend::max_record_bytes(std::string_view log) const {
  if (log != log_name()) return std::nullopt;
  return facts_.settings.max_record_bytes;
}

std::optional<record_offset> actor_backend::next_offset(std::string_view log) const {
  if (log != log_name()) return std::nullopt;
  return actors_.reader()->end_offset();
}

}  // namespace cairn::apps
