#include "apps/node_join.hpp"

#include "actors/cluster/join_actor.hpp"
#include "actors/node_actor.hpp"
#include "apps/waiting_backend.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <mutex>
#include <optional>

namespace cairn::apps {

namespace {

constexpr std::chrono::milliseconds k_last_answers{200};

/// From the JoinActor's thread to the main thread.
struct mailbox {
  std::mutex mutex;
  std::optional<actors::joined> outcome;
};

/// The actors that make a waiting node as visible as a member is. end() waits
/// for their ends: they call into what is around them.
class waiting_actors {
public:
  waiting_actors(join_parts& parts, std::function<std::string()> why)
      : system_(parts.system),
        node_(system_.spawn<actors::node_actor>(actors::node_actor_config{
            .env = &parts.env, .node_id = parts.shown.id, .on_fatal = {}})) {
    auto inspect = std::move(parts.inspect);
    inspect.env = &parts.env;
    inspect.hub = &parts.hub;
    inspect.parent = node_.id();
    inspect.node = node_;
    inspect.not_member = std::move(why);
    inspect_ = system_.spawn<actors::inspect_actor>(std::move(inspect));
    introduce(inspect_, "inspect");
  }
  ~waiting_actors() { end(); }
  waiting_actors(const waiting_actors&) = delete;
  waiting_actors& operator=(const waiting_actors&) = delete;

  /// Later calls do nothing.
  void end() {
    caf::scoped_actor self{system_};
    for (auto* actor : {&join_, &inspect_, &node_}) {
      if (!*actor) continue;
      caf::anon_send_exit(*actor, caf::exit_reason::user_shutdown);
      self->wait_for(*actor);
      *actor = {};
    }
  }

  void join(actors::join_actor_config config) {
    config.parent = node_.id();
    join_ = system_.spawn<actors::join_actor>(std::move(config));
    introduce(join_, "join");
  }
  [[nodiscard]] const caf::actor& node() const { return node_; }
  [[nodiscard]] const caf::actor& inspect() const { return inspect_; }

private:
  void introduce(const caf::actor& who, const char* kind) {
    caf::anon_send(
        node_, actors::actor_started{.who = who, .kind = kind, .name = kind, .parent = node_.id()});
  }

  caf::actor_system& system_;
  caf::actor node_;
  caf::actor inspect_;
  caf::actor join_;
};

}  // namespace

result<join_outcome> join_cluster(const node_config& config, join_parts parts) {
  waiting_backend backend(parts.shown, config.max_record_bytes);
  waiting_actors waiting(parts, [&backend] { return backend.why().detail; });
  backend.serve(parts.system, waiting.node(), waiting.inspect());
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
  waiting.join(std::move(join));
  join_outcome out;
  out.ended = !parts.end.wait_for_wake();
  waiting.end();
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
