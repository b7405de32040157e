#include "actors/peer_plane.hpp"

#include "actors/peer_scribe.hpp"
#include "actors/type_ids.hpp"

#include <algorithm>
#include <caf/actor_companion.hpp>
#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>
#include <latch>
#include <mutex>
#include <set>
#include <unistd.h>

namespace cairn::actors {

namespace {

/// BASP's header, no forwarding, one type id: around an envelope.
constexpr std::size_t k_around_envelope_bytes = k_basp_header_bytes + 4;
/// How BASP knows the one published actor; there is no such port.
constexpr std::uint16_t k_published_port = 1;
/// Kind of node id, process id, host.
constexpr std::size_t k_caf_node_bytes = 25;
constexpr std::size_t k_caf_node_tag_bytes = 1;
constexpr std::size_t k_transport_bytes = k_caf_node_bytes + sizeof(std::uint64_t);

struct plane_settings : caf::actor_system_config {
  explicit plane_settings(const peer_plane_config& config) {
    init_type_ids();
    load<caf::io::middleman>();
    set("caf.scheduler.policy", "sharing");
    set("caf.scheduler.max-threads", 1);
    set("caf.logger.console.verbosity", "quiet");
    set("caf.logger.file.verbosity", "quiet");
    set("caf.middleman.attach-utility-actors", true);
    // Envelopes are taken apart by the thread that reads them: handing them to another costs a
    // wake-up, and our inspect() copies bytes and nothing else.
    set("caf.middleman.workers", std::size_t{0});
    set("caf.middleman.heartbeat-interval", caf::timespan(config.heartbeat));
    set("caf.middleman.connection-timeout", caf::timespan(config.silence));
  }
};

template <class... Ts>
std::string serialized(caf::actor_system& system, const Ts&... values) {
  caf::byte_buffer out;
  caf::binary_serializer sink(system, out);
  const bool ok = (sink.apply(values) && ...);
  CAIRN_CHECK(ok, "CAF cannot serialize its own types");
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

/// Keeps an envelope's head, and counts its bytes as waiting until CAF has let go of it.
struct ticket {
  ticket(std::shared_ptr<peer_waiting> counted, std::size_t bytes, shared_bytes head)
      : waiting(std::move(counted)), size(bytes), kept(std::move(head)) {}
  ~ticket() { waiting->in_mailbox.fetch_sub(size, std::memory_order_relaxed); }
  ticket(const ticket&) = delete;
  ticket& operator=(const ticket&) = delete;

  std::shared_ptr<peer_waiting> waiting;
  std::size_t size;
  shared_bytes kept;
};

class plane;

/// The way from a channel, which may outlive its plane, back to it.
struct plane_gate {
  std::mutex mutex;
  plane* owner = nullptr;  // guarded by mutex; null: the plane ends
};

class channel : public peer_channel, public std::enable_shared_from_this<channel> {
public:
  channel(std::shared_ptr<plane_gate> gate, peer_attachment what, const peer_plane_config& limits)
      : gate_(std::move(gate)),
        what_(std::move(what)),
        frame_bytes_max_(what_.role == peer_role::observed ? limits.observer_frame_bytes_max
                                                           : limits.frame_bytes_max),
        waiting_bytes_max_(what_.role == peer_role::observer ? limits.observer_waiting_bytes_max
                                                             : limits.waiting_bytes_max) {}

  bool send(peer_envelope envelope) override;
  void close(std::string reason) override;

private:
  friend class plane;

  const std::shared_ptr<plane_gate> gate_;
  peer_attachment what_;  // middleman's thread
  const std::size_t frame_bytes_max_;
  const std::size_t waiting_bytes_max_;
  std::shared_ptr<peer_waiting> waiting_ = std::make_shared<peer_waiting>();
  caf::intrusive_ptr<peer_scribe> scribe_;  // middleman's thread; null: not yet, or no more
  std::string closed_;                      // middleman's thread; why, if before it was attached
  bool over_ = false;                       // middleman's thread
  std::mutex mutex_;
  caf::actor remote_;  // guarded by mutex_; null: not ready, or no more
};

class plane : public peer_plane {
public:
  explicit plane(peer_plane_config config)
      : config_(std::move(config)), settings_(config_), system_(settings_) {}
  ~plane() override {
    stop();
    // An actor whose last reference is the registry's would ask the registry's lock twice.
    system_.registry().erase(published_.id());
  }
  plane(const plane&) = delete;
  plane& operator=(const plane&) = delete;

  void begin();
  [[nodiscard]] const std::string& transport() const override { return transport_; }
  [[nodiscard]] std::shared_ptr<peer_channel> attach(peer_attachment what) override;
  void stop() override;

  template <class F>
  void post(F work) {
    system_.middleman().backend().post(std::move(work));
  }
  void close_now(channel& c, const std::string& reason);

private:
  void close_all(const std::shared_ptr<std::latch>& ended);
  void end_basp();
  void attach_now(const std::shared_ptr<channel>& c);
  [[nodiscard]] bool may_displace(const channel& fresh, caf::io::connection_handle earlier) const;
  void greeted(channel& c, const caf::node_id& node, caf::actor_id actor);
  void lost(const std::shared_ptr<channel>& c, const std::string& reason);
  void give_up(channel& c, const std::string& reason);
  [[nodiscard]] std::string handshake_of(const caf::node_id& node, caf::actor_id actor,
                                         bool server);
  [[nodiscard]] caf::io::network::default_multiplexer& loop() {
    return dynamic_cast<caf::io::network::default_multiplexer&>(system_.middleman().backend());
  }

  peer_plane_config config_;
  plane_settings settings_;
  caf::actor_system system_;
  caf::actor basp_handle_;
  caf::io::basp_broker* basp_ = nullptr;  // kept by basp_handle_
  caf::actor published_;
  caf::actor_companion* companion_ = nullptr;  // kept by published_
  std::string transport_;
  const std::shared_ptr<plane_gate> gate_ = std::make_shared<plane_gate>();
  bool ended_ = false;                       // middleman's thread
  std::set<std::shared_ptr<channel>> open_;  // middleman's thread
};

// --- channel -------------------------------------------------------------------------------------

bool channel::send(peer_envelope envelope) {
  const auto bytes = peer_envelope_bytes(envelope);
  if (bytes == 0 || bytes + 4 > frame_bytes_max_) return false;
  const auto size = static_cast<std::size_t>(bytes) + k_around_envelope_bytes;
  const auto before = waiting_->in_mailbox.fetch_add(size, std::memory_order_relaxed) +
                      waiting_->in_buffer.load(std::memory_order_relaxed);
  // From here on the ticket takes the bytes off the count again, whatever happens.
  auto counted = std::make_shared<ticket>(waiting_, size, std::move(envelope.head));
  if (before + size > waiting_bytes_max_) return false;
  const auto head = counted->kept.span();
  envelope.head = shared_bytes(std::move(counted), head);
  caf::actor to;
  {
    const std::lock_guard lock(mutex_);
    to = remote_;
  }
  if (!to) return false;
  caf::anon_send(to, std::move(envelope));
  return true;
}

void channel::close(std::string reason) {
  const std::lock_guard lock(gate_->mutex);
  if (gate_->owner == nullptr) return;
  gate_->owner->post([owner = gate_->owner, self = shared_from_this(), reason = std::move(reason)] {
    owner->close_now(*self, reason);
  });
}

// --- plane: begin and end ------------------------------------------------------------------------

void plane::begin() {
  auto& middleman = system_.middleman();
  basp_handle_ = middleman.named_broker<caf::io::basp_broker>("BASP");
  basp_ = static_cast<caf::io::basp_broker*>(caf::actor_cast<caf::abstract_actor*>(basp_handle_));
  published_ = system_.spawn<caf::actor_companion, caf::hidden>();
  companion_ =
      static_cast<caf::actor_companion*>(caf::actor_cast<caf::abstract_actor*>(published_));
  companion_->on_enqueue([deliver = config_.deliver](caf::mailbox_element_ptr message) {
    if (message->payload.match_elements<peer_envelope>()) deliver(std::move(message));
  });
  // BASP looks receivers up by number.
  system_.registry().put(published_.id(), caf::actor_cast<caf::strong_actor_ptr>(published_));
  const auto node = serialized(system_, system_.node());
  CAIRN_CHECK(node.size() == k_caf_node_bytes, "a CAF node id of {} bytes", node.size());
  transport_ = node + serialized(system_, std::uint64_t{published_.id()});
  const std::lock_guard lock(gate_->mutex);
  gate_->owner = this;
}

void plane::stop() {
  {
    const std::lock_guard lock(gate_->mutex);
    if (std::exchange(gate_->owner, nullptr) == nullptr) return;
  }
  companion_->on_enqueue(nullptr);
  const auto ended = std::make_shared<std::latch>(1);
  post([this, ended] {
    ended_ = true;
    close_all(ended);
  });
  ended->wait();
}

/// A connection that BASP has just been given is closed only when BASP has looked at it, so this
/// may take some rounds of the loop.
void plane::close_all(const std::shared_ptr<std::latch>& ended) {
  const auto open = open_;
  for (const auto& c : open)
    close_now(*c, "this node ends");
  // Behind what closing has left in the loop, see lost().
  post([this, ended] {
    post([this, ended] {
      post([this, ended] {
        if (!open_.empty()) return close_all(ended);
        end_basp();
        ended->count_down();
      });
    });
  });
}

/// Ends BASP as the middleman would, and then closes its mailbox, which CAF 0.18.7 forgets:
/// abstract_broker::cleanup() goes on to local_actor's and leaves out scheduled_actor's. The clock
/// of the actor system still runs. A heartbeat's tick that it delivers to a broker that has ended
/// would stay in the open mailbox; its sender is the broker, so the two would keep each other for
/// ever.
void plane::end_basp() {
  basp_->context(&loop());
  basp_->quit();
  basp_->finalize();
  basp_->caf::scheduled_actor::cleanup(caf::error{}, &loop());
}

// --- plane: attaching ----------------------------------------------------------------------------

std::string plane::handshake_of(const caf::node_id& node, caf::actor_id actor, bool server) {
  if (!server) return serialized(system_, node);
  const std::vector<std::string> applications{"generic-caf-app"};
  return serialized(system_, node, applications, std::uint64_t{actor}, std::set<std::string>{});
}

std::shared_ptr<peer_channel> plane::attach(peer_attachment what) {
  const int descriptor = what.descriptor;
  auto c = std::make_shared<channel>(gate_, std::move(what), config_);
  const std::lock_guard lock(gate_->mutex);
  if (gate_->owner == nullptr) {
    ::close(descriptor);
    return c;
  }
  post([this, c] { attach_now(c); });
  return c;
}

void plane::give_up(channel& c, const std::string& reason) {
  ::close(c.what_.descriptor);
  c.over_ = true;
  if (c.what_.lost) c.what_.lost(reason);
}

/// A process that has lost its link makes a new one over the same plane. An observer that names
/// somebody else's plane must not cut that one's connection.
bool plane::may_displace(const channel& fresh, caf::io::connection_handle earlier) const {
  if (fresh.what_.role != peer_role::observer) return true;
  return std::none_of(open_.begin(), open_.end(), [&](const auto& other) {
    return other->scribe_ && other->scribe_->hdl() == earlier &&
           other->what_.node != fresh.what_.node;
  });
}

void plane::attach_now(const std::shared_ptr<channel>& c) {
  if (ended_) return give_up(*c, "this node ends");
  if (!c->closed_.empty()) return give_up(*c, c->closed_);
  const auto& transport = c->what_.transport;
  if (transport.size() != k_transport_bytes ||
      transport.compare(0, k_caf_node_tag_bytes, transport_, 0, k_caf_node_tag_bytes) != 0) {
    return give_up(*c, "the hello's transport field is not CAF's");
  }
  caf::node_id node;
  std::uint64_t actor = 0;
  caf::binary_deserializer source(system_, transport.data(), transport.size());
  if (!source.apply(node) || !source.apply(actor) || !node || node == system_.node() || actor == 0)
    return give_up(*c, "the hello's transport field names no other node");
  if (const auto earlier = basp_->instance.tbl().lookup_direct(node)) {
    if (!may_displace(*c, *earlier))
      return give_up(*c, "the hello's transport field is that of somebody who is linked");
    basp_->connection_cleanup(*earlier, caf::sec::none);
    basp_->close(*earlier);
  }
  peer_frame_filter filter({.dialled = c->what_.dialled,
                            .handshake = handshake_of(node, actor, c->what_.dialled),
                            .published = published_.id(),
                            .message_data = caf::make_message_id().integer_value(),
                            .envelope_type = caf::type_id_v<peer_envelope>,
                            .frame_bytes_max = c->what_.role == peer_role::observer
                                                   ? config_.observer_frame_bytes_max
                                                   : config_.frame_bytes_max,
                            .role = c->what_.role,
                            .sender = c->what_.node,
                            .own_cluster = config_.own_cluster,
                            .noted = c->what_.noted});
  const std::weak_ptr<channel> weak = c;
  c->scribe_ = caf::make_counted<peer_scribe>(
      loop(), c->what_.descriptor, std::move(filter), c->waiting_,
      peer_scribe::events{.greeted =
                              [this, weak, node, actor](peer_scribe&) {
                                if (const auto kept = weak.lock()) greeted(*kept, node, actor);
                              },
                          .lost =
                              [this, weak](const std::string& reason) {
                                if (const auto kept = weak.lock()) lost(kept, reason);
                              }});
  open_.insert(c);
  // Marks the connection as seen now; else BASP's next tick would find it silent since ever.
  basp_->set_context(c->scribe_->hdl());
  caf::io::scribe_ptr scribe = c->scribe_;
  if (c->what_.dialled) {
    caf::anon_send(basp_handle_, caf::connect_atom_v, std::move(scribe), k_published_port);
  } else {
    caf::anon_send(basp_handle_, caf::publish_atom_v, std::move(scribe), k_published_port,
                   caf::actor_cast<caf::strong_actor_ptr>(published_), std::set<std::string>{});
  }
}

void plane::greeted(channel& c, const caf::node_id& node, caf::actor_id actor) {
  if (!basp_->instance.tbl().lookup_direct(node)) return;  // BASP did not like it and closes
  basp_->set_last_hop(nullptr);
  const auto proxy = basp_->instance.proxies().get_or_put(node, actor);
  {
    const std::lock_guard lock(c.mutex_);
    c.remote_ = caf::actor_cast<caf::actor>(proxy);
  }
  if (c.what_.ready) c.what_.ready();
}

void plane::lost(const std::shared_ptr<channel>& c, const std::string& reason) {
  if (std::exchange(c->over_, true)) return;
  {
    const std::lock_guard lock(c->mutex_);
    c->remote_ = nullptr;
  }
  open_.erase(c);
  // The socket stays open until BASP has handled what it knows under the same number.
  post([this, scribe = std::exchange(c->scribe_, nullptr)]() mutable {
    post([kept = std::move(scribe)] {});
  });
  auto tell = std::exchange(c->what_.lost, nullptr);
  c->what_.ready = nullptr;
  c->what_.noted = nullptr;
  if (tell) tell(reason);
}

void plane::close_now(channel& c, const std::string& reason) {
  if (c.over_) return;
  if (!c.scribe_) {  // it is still on its way here
    c.closed_ = reason;
    return;
  }
  const auto scribe = c.scribe_;  // lost() lets go of the channel's
  basp_->connection_cleanup(scribe->hdl(), caf::sec::none);
  scribe->cut(reason);
}

}  // namespace

std::unique_ptr<peer_plane> peer_plane::start(peer_plane_config config) {
  auto made = std::make_unique<plane>(std::move(config));
  made->begin();
  return made;
}

}  // namespace cairn::actors
