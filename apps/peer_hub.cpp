#include "apps/peer_hub.hpp"

#include "actors/peer_plane.hpp"
#include "actors/type_ids.hpp"
#include "apps/peer_hub_metrics.hpp"
#include "apps/peer_hub_observers.hpp"
#include "net/peer/endpoint.hpp"
#include "storage/base/log_line.hpp"

#include <array>
#include <atomic>
#include <caf/send.hpp>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <unistd.h>
#include <vector>

namespace cairn::apps {

namespace {

using actors::frame_event;
using actors::k_peer_lanes;
using actors::link_changed;
using actors::peer_channel;
using actors::peer_envelope;
using actors::peer_kind;
using actors::peer_lane;
using actors::peer_plane;
using actors::peer_role;

static_assert(k_peer_lanes == net::k_peer_lane_count);

std::size_t number_of(peer_lane lane) {
  return static_cast<std::size_t>(lane);
}

/// Threads: senders (any), the endpoint's (on_link), the two middlemen's (deliver, ready, lost).
class hub : public node_peer_hub {
public:
  explicit hub(peer_hub_config config)
      : config_(std::move(config)), metrics_(config_.registry.get()) {
    if (!config_.log) {
      config_.log = [](std::string_view line) { log_info(log_component::peer).say("{}", line); };
    }
    if (!config_.cluster_id || config_.observes) config_.cluster_id = [] { return std::string(); };
  }
  ~hub() override { stop(); }
  hub(const hub&) = delete;
  hub& operator=(const hub&) = delete;

  status begin();

  bool send(const std::string& node, peer_lane lane, peer_envelope envelope) override;
  void route(peer_kind kind, const std::string& log, caf::actor receiver) override;
  void watch(caf::actor who) override;
  void connect(const std::string& node, const std::string& address) override;
  void forget(const std::string& node) override;
  [[nodiscard]] std::uint16_t port() const override { return endpoint_->port(); }
  [[nodiscard]] const std::string& address() const override { return endpoint_->address(); }
  [[nodiscard]] std::vector<peer_link_facts> links() const override;
  void stop() override;

private:
  struct link {
    std::string node;
    std::string address;
    std::uint64_t session = 0;
    bool dialled = false;
    peer_role role = peer_role::member;
    std::chrono::system_clock::time_point since = std::chrono::system_clock::now();
    std::atomic<bool> cut{false};  ///< because of what came over it
    /// Envelopes of an observer that whoever got them still has.
    std::shared_ptr<std::atomic<std::size_t>> unread =
        std::make_shared<std::atomic<std::size_t>>(0);
    // Guarded by mutex_.
    std::array<std::shared_ptr<peer_channel>, k_peer_lanes> lanes;
    std::size_t ready = 0;
    bool up = false;
    bool over = false;
  };
  using link_ptr = std::shared_ptr<link>;
  using route_key = std::pair<peer_kind, std::string>;

  void make_planes();
  void on_link(net::peer_link made);
  void lane_ready(const link_ptr& which);
  void end_link(const link_ptr& which, const std::string& reason);
  void tell(const link& about, bool up, const std::string& reason);
  void note(link& about, frame_event what);
  void say(few_lines& limit, std::string line);
  [[nodiscard]] bool take_from_observer(peer_envelope& envelope);
  void deliver(caf::mailbox_element_ptr message);

  peer_hub_config config_;
  peer_hub_metrics metrics_;
  std::array<std::unique_ptr<peer_plane>, k_peer_lanes> planes_;
  std::unique_ptr<net::peer_endpoint> endpoint_;

  mutable std::shared_mutex mutex_;
  bool stopped_ = false;                   // guarded by mutex_
  std::map<std::string, link_ptr> links_;  // guarded by mutex_
  std::vector<caf::actor> watchers_;       // guarded by mutex_

  std::mutex lines_mutex_;
  few_lines observer_came_;  // guarded by lines_mutex_
  few_lines observer_went_;  // guarded by lines_mutex_
  few_lines observer_cut_;   // guarded by lines_mutex_

  std::shared_mutex routes_mutex_;
  std::map<route_key, caf::actor> routes_;  // guarded by routes_mutex_
};

// --- begin and end -------------------------------------------------------------------------------

void hub::make_planes() {
  const auto& limits = config_.limits;
  for (std::size_t i = 0; i < k_peer_lanes; ++i) {
    const bool bulk = i == number_of(peer_lane::bulk);
    actors::peer_plane_config plane;
    plane.heartbeat = limits.heartbeat;
    // A large frame on a slow line is silence until its last byte; the control lane sees a dead
    // peer sooner, and then both end.
    plane.silence = bulk ? 3 * limits.silence : limits.silence;
    plane.frame_bytes_max = limits.frame_bytes;
    plane.waiting_bytes_max = bulk ? limits.bulk_bytes : limits.control_bytes;
    plane.observer_frame_bytes_max = limits.observer_frame_bytes;
    plane.observer_waiting_bytes_max = limits.observer_waiting_bytes;
    plane.own_cluster = config_.cluster_id;
    plane.deliver = [this](caf::mailbox_element_ptr message) { deliver(std::move(message)); };
    planes_.at(i) = peer_plane::start(std::move(plane));
  }
}

status hub::begin() {
  make_planes();
  const auto& limits = config_.limits;
  net::peer_endpoint_config endpoint;
  if (!config_.observes) {
    endpoint.listen_host = config_.listen_host;
    endpoint.listen_port = config_.listen_port;
    endpoint.self.address = config_.advertise;
  }
  endpoint.self.capabilities =
      config_.observes ? net::k_peer_observer : net::k_peer_takes_observers;
  endpoint.limits.half_open = limits.half_open;
  endpoint.limits.observers = limits.observers;
  endpoint.limits.dial = limits.dial;
  endpoint.limits.hello = limits.hello;
  endpoint.limits.backoff_min = limits.backoff_min;
  endpoint.limits.backoff_max = limits.backoff_max;
  endpoint.limits.silence = 2 * limits.silence;
  endpoint.self.node_id = config_.node_id;
  endpoint.self.data_id = config_.data_id;
  for (std::size_t i = 0; i < k_peer_lanes; ++i)
    endpoint.transports.at(i) = planes_.at(i)->transport();
  endpoint.cluster_id = config_.cluster_id;
  if (config_.refuse) {
    endpoint.refuse = [this](const net::peer_hello& hello) {
      return config_.refuse({.node_id = hello.node_id,
                             .data_id = hello.data_id,
                             .cluster_id = hello.cluster_id,
                             .address = hello.address});
    };
  }
  endpoint.on_link = [this](net::peer_link made) { on_link(std::move(made)); };
  endpoint.on_refused = [this](net::peer_refusal why, bool inbound) {
    metrics_.count_refused(net::to_string(why), inbound);
  };
  if (config_.on_dial_failed) {
    endpoint.on_dial_failed = [this](const std::string& target, net::peer_refusal why,
                                     const std::string& reason) {
      config_.on_dial_failed(target, net::to_string(why), reason);
    };
  }
  endpoint.log = config_.log;
  auto started = net::peer_endpoint::open(std::move(endpoint));
  if (!started) return started.error();
  endpoint_ = std::move(*started);
  endpoint_->run();
  return {};
}

void hub::stop() {
  std::map<std::string, link_ptr> links;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    links.swap(links_);
    watchers_.clear();
  }
  if (endpoint_) endpoint_->stop();
  for (const auto& [node, l] : links)
    end_link(l, "this node ends");
  for (const auto& plane : planes_)
    if (plane) plane->stop();
  const std::lock_guard lock(routes_mutex_);
  routes_.clear();
}

// --- links ---------------------------------------------------------------------------------------

void hub::on_link(net::peer_link made) {
  auto fresh = std::make_shared<link>();
  fresh->node = made.hello.node_id;
  fresh->address = made.hello.address;
  fresh->session = made.hello.session;
  fresh->dialled = made.dialled;
  if (config_.observes) fresh->role = peer_role::observed;
  if (net::is_observer(made.hello)) fresh->role = peer_role::observer;
  link_ptr earlier;
  bool stopped = false;
  {
    const std::lock_guard lock(mutex_);
    stopped = stopped_;
    const auto found = links_.find(fresh->node);
    if (found != links_.end()) earlier = found->second;
  }
  if (earlier) end_link(earlier, "a new one takes its place");
  if (stopped) {
    for (const int descriptor : made.descriptors)
      ::close(descriptor);
    return;
  }
  // A lane may be lost before the other one is attached; then lost() has to find the link, and
  // whoever attaches has to see that it is over.
  const std::lock_guard lock(mutex_);
  links_[fresh->node] = fresh;
  for (std::size_t i = 0; i < k_peer_lanes; ++i) {
    fresh->lanes.at(i) = planes_.at(i)->attach(
        {.descriptor = made.descriptors.at(i),
         .dialled = made.dialled,
         .role = fresh->role,
         .node = fresh->node,
         .transport = made.transports.at(i),
         .noted = [this, fresh](frame_event what) { note(*fresh, what); },
         .ready = [this, fresh] { lane_ready(fresh); },
         .lost = [this, fresh](const std::string& reason) { end_link(fresh, reason); }});
  }
}

void hub::lane_ready(const link_ptr& which) {
  {
    const std::lock_guard lock(mutex_);
    if (which->over || ++which->ready < k_peer_lanes) return;
    which->up = true;
    tell(*which, true, {});
  }
  if (which->role == peer_role::observer)
    return say(observer_came_, fmt::format("observer {} looks at this node", which->node));
  config_.log(fmt::format("linked to node {} at {} ({})", which->node, which->address,
                          which->dialled ? "dialled" : "accepted"));
}

/// A line about an observer.
void hub::say(few_lines& limit, std::string line) {
  {
    const std::lock_guard lock(lines_mutex_);
    line = limit.admit(std::move(line));
  }
  if (!line.empty()) config_.log(line);
}

void hub::note(link& about, frame_event what) {
  if (what == frame_event::unknown_kind) return metrics_.count_dropped(peer_drop::unknown_kind);
  about.cut = true;
  metrics_.count_cut(about.role == peer_role::observer);
}

/// One lane is gone: so is the other.
void hub::end_link(const link_ptr& which, const std::string& reason) {
  std::array<std::shared_ptr<peer_channel>, k_peer_lanes> lanes;
  bool was_up = false;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(which->over, true)) return;
    was_up = std::exchange(which->up, false);
    const auto found = links_.find(which->node);
    if (found != links_.end() && found->second == which) links_.erase(found);
    if (was_up) tell(*which, false, reason);
    lanes.swap(which->lanes);
  }
  for (const auto& lane : lanes)
    if (lane) lane->close(reason);
  endpoint_->link_lost(which->node, which->session);
  if (which->role == peer_role::observer) {
    // Consoles come and go; only what we end ourselves needs a reason.
    return which->cut
               ? say(observer_cut_, fmt::format("observer {} is cut off: {}", which->node, reason))
               : say(observer_went_, fmt::format("observer {} has left", which->node));
  }
  config_.log(fmt::format("{} to node {} at {} ended: {}", was_up ? "link" : "half-made link",
                          which->node, which->address, reason));
}

/// @pre mutex_ is held, so that watchers see changes in their order
void hub::tell(const link& about, bool up, const std::string& reason) {
  // Nobody counts on an observer, votes for it, or waits for it.
  if (about.role == peer_role::observer) return metrics_.count_observers(up ? 1 : -1);
  metrics_.count_links(up ? 1 : -1);
  for (const auto& watcher : watchers_)
    caf::anon_send(watcher, link_changed{about.node, up, about.address, reason});
}

// --- envelopes -----------------------------------------------------------------------------------

bool hub::send(const std::string& node, peer_lane lane, peer_envelope envelope) {
  std::shared_ptr<peer_channel> to;
  bool up = false;
  {
    const std::shared_lock lock(mutex_);
    const auto found = links_.find(node);
    if (found != links_.end() && may_carry(found->second->role, envelope.kind)) {
      // A lane that works is used before the other one does: what came over it may be answered.
      to = found->second->lanes.at(number_of(lane));
      up = found->second->up;
    }
  }
  if (!to) {
    metrics_.count_dropped(peer_drop::no_link);
    return false;
  }
  if (envelope.sender.empty()) envelope.sender = config_.node_id;
  if (envelope.cluster_id.empty()) envelope.cluster_id = config_.cluster_id();
  const auto bytes = actors::peer_envelope_bytes(envelope);
  if (!to->send(std::move(envelope))) {
    const bool large = bytes == 0 || bytes + 4 > config_.limits.frame_bytes;
    metrics_.count_dropped(large ? peer_drop::too_large
                                 : (up ? peer_drop::no_room : peer_drop::no_link));
    return false;
  }
  metrics_.count_sent(number_of(lane), bytes);
  return true;
}

/// Whoever answers observers reads them slower than they can ask. False: this one is too much.
bool hub::take_from_observer(peer_envelope& envelope) {
  std::shared_ptr<std::atomic<std::size_t>> unread;
  {
    const std::shared_lock lock(mutex_);
    const auto found = links_.find(envelope.sender);
    if (found == links_.end()) return false;
    if (found->second->role != peer_role::observer) return true;
    unread = found->second->unread;
  }
  const auto before = unread->fetch_add(1, std::memory_order_relaxed);
  // From here on the ticket takes it off the count again.
  auto ticket = std::make_shared<unread_ticket>(std::move(unread), std::move(envelope.head));
  if (before >= config_.limits.observer_unread) return false;
  const auto head = ticket->kept.span();
  envelope.head = shared_bytes(std::move(ticket), head);
  return true;
}

void hub::deliver(caf::mailbox_element_ptr message) {
  auto& envelope = message->payload.get_mutable_as<peer_envelope>(0);
  if (envelope.kind == peer_kind::inspect && !take_from_observer(envelope))
    return metrics_.count_dropped(peer_drop::no_room);
  caf::actor receiver;
  {
    const std::shared_lock lock(routes_mutex_);
    const auto found = routes_.find({envelope.kind, envelope.log});
    if (found != routes_.end()) receiver = found->second;
  }
  if (!receiver) {
    metrics_.count_dropped(peer_drop::no_receiver);
    return;
  }
  // Straight into the mailbox. Without an execution unit: the middleman's must not run our actors.
  caf::actor_cast<caf::abstract_actor*>(receiver)->enqueue(std::move(message), nullptr);
}

void hub::route(peer_kind kind, const std::string& log, caf::actor receiver) {
  const std::lock_guard lock(routes_mutex_);
  if (receiver) {
    routes_[{kind, log}] = std::move(receiver);
  } else {
    routes_.erase({kind, log});
  }
}

void hub::watch(caf::actor who) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  for (const auto& [node, l] : links_)
    if (l->up) caf::anon_send(who, link_changed{node, true, l->address});
  watchers_.push_back(std::move(who));
}

void hub::connect(const std::string& node, const std::string& address) {
  link_ptr found;
  {
    const std::shared_lock lock(mutex_);
    const auto i = links_.find(node);
    if (i != links_.end() && i->second->role == peer_role::observer) found = i->second;
  }
  if (found) end_link(found, "its id is that of a node");
  endpoint_->connect(node, address);
}

std::vector<peer_link_facts> hub::links() const {
  std::vector<peer_link_facts> out;
  const std::shared_lock lock(mutex_);
  for (const auto& [node, l] : links_)
    out.push_back({node, l->address, l->role == peer_role::observer, l->up, l->since});
  return out;
}

void hub::forget(const std::string& node) {
  endpoint_->forget(node);
  link_ptr found;
  {
    const std::shared_lock lock(mutex_);
    const auto i = links_.find(node);
    if (i != links_.end()) found = i->second;
  }
  if (found) end_link(found, "it is not wanted any more");
}

}  // namespace

result<std::unique_ptr<node_peer_hub>> make_peer_hub(peer_hub_config config) {
  for (const auto& [what, id] :
       {std::pair{"node id", &config.node_id}, std::pair{"data directory's id", &config.data_id}}) {
    if (id->empty() || id->size() > 128) {
      return error{errc::invalid_argument,
                   fmt::format("a {} of {} bytes: 1 to 128 are allowed", what, id->size())};
    }
  }
  auto made = std::make_unique<hub>(std::move(config));
  auto begun = made->begin();
  if (!begun) return begun.error();
  return std::unique_ptr<node_peer_hub>(std::move(made));
}

}  // namespace cairn::apps
