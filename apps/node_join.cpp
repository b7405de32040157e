#include "apps/node_join.hpp"

#include "actors/cluster/join_actor.hpp"
#include "apps/waiting_backend.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <mutex>
#include <optional>
#include <spdlog/spdlog.h>

namespace cairn::apps {

namespace {

constexpr std::chrono::milliseconds k_last_answers{200};

/// From the JoinActor's thread to the main thread.
struct mailbox {
  std::mutex mutex;
  std::optional<actors::joined> outcome;
};

}  // namespace

result<join_outcome> join_cluster(const node_config& config, join_parts parts) {
  waiting_backend backend(parts.shown, config.max_record_bytes);
  auto gateway = net::gateway::start(parts.http, backend);
  if (!gateway) return gateway.error();
  parts.self.http = advertised(config, {config.http.host, (*gateway)->port()});
  parts.on_listening((*gateway)->port());
  const auto box = std::make_shared<mailbox>();
  actors::join_actor_config join;
  join.env = &parts.env;
  join.hub = &parts.hub;
  join.self = parts.self;
  for (const auto& address : config.join)
    join.addresses.push_back(to_text(address));
  join.on_progress = [&backend](const std::string& what) { backend.set_reason(what); };
  join.on_done = [box, &end = parts.end](const actors::joined& outcome) {
    {
      const std::lock_guard lock(box->mutex);
      box->outcome = outcome;
    }
    end.wake();
  };
  auto actor = parts.system.spawn<actors::join_actor>(std::move(join));
  join_outcome out;
  out.ended = !parts.end.wait_for_wake();
  // It may not call back any more once its backend has gone.
  caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  {
    caf::scoped_actor self{parts.system};
    self->wait_for(actor);
  }
  out.http_port = (*gateway)->port();
  (*gateway)->stop(k_last_answers);
  const std::lock_guard lock(box->mutex);
  if (out.ended || !box->outcome) {
    out.ended = true;
    return out;
  }
  out.member = box->outcome->code == errc::none;
  out.refused = {box->outcome->code, box->outcome->detail};
  out.cluster_id = box->outcome->cluster_id;
  out.number = box->outcome->number;
  return out;
}

}  // namespace cairn::apps
