#include "net/peer/endpoint.hpp"

#include "net/peer/endpoint_impl.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <unistd.h>

namespace cairn::net {

namespace {

/// How long the end of a node waits for a name server.
constexpr std::chrono::milliseconds k_lookup_patience{500};

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::string named(const std::string& cluster) {
  return cluster.empty() ? std::string("no cluster yet") : fmt::format("cluster {}", cluster);
}

}  // namespace

std::string name_of(const boost::asio::ip::tcp::endpoint& endpoint) {
  const auto host = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                                    : fmt::format("{}:{}", host, endpoint.port());
}

void complete_address(peer_hello& hello, const std::string& remote) {
  const auto colon = hello.address.rfind(':');
  if (colon == std::string::npos) return;
  const auto host = hello.address.substr(0, colon);
  if (host == "0.0.0.0" || host == "[::]")
    hello.address = remote.substr(0, remote.rfind(':')) + hello.address.substr(colon);
}

peer_endpoint::impl::impl(peer_endpoint_config config)
    : config_(std::move(config)),
      stay_(boost::asio::make_work_guard(io_)),
      acceptor_(io_),
      pause_(io_),
      resolver_(io_),
      incarnation_(random_number()),
      random_(random_number()),
      table_(config_.self.node_id, config_.limits.settle),
      log_(config_.log) {}

peer_endpoint::impl::~impl() = default;

status peer_endpoint::impl::open() {
  if (config_.listen_host.empty()) return {};
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(config_.listen_host, ec);
  if (ec) {
    return error{errc::invalid_argument,
                 fmt::format("'{}' is not an IP address to listen on", config_.listen_host)};
  }
  const tcp::endpoint endpoint(address, config_.listen_port);
  acceptor_.open(endpoint.protocol(), ec);
  if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(boost::asio::socket_base::max_listen_connections, ec);
  if (!ec) port_ = acceptor_.local_endpoint(ec).port();
  if (ec) {
    return error{errc::unavailable,
                 fmt::format("cannot listen for peers on {} port {}: {}", config_.listen_host,
                             config_.listen_port, ec.message())};
  }
  if (config_.self.address.empty()) {
    config_.self.address = name_of(tcp::endpoint(address, port_));
  }
  // Whoever sets the host of what is told need not know the port.
  auto& told = config_.self.address;
  if (told.ends_with(":0")) told.replace(told.size() - 1, 1, std::to_string(port_));
  accept_next();
  return {};
}

void peer_endpoint::impl::run() {
  io_.run();
}

void peer_endpoint::impl::stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  resolver_.cancel();
  for (auto& [key, t] : targets_) {
    t->timer.cancel();
    if (t->trying) end_attempt(t->trying);
  }
  targets_.clear();
  const auto open = std::exchange(half_open_, {});
  for (const auto& c : open)
    c->close();
  sessions_.clear();
  stay_.reset();
  io_.stop();
}

void peer_endpoint::impl::finish_lookups(std::chrono::milliseconds most) {
  io_.restart();
  const auto end = clock::now() + most;
  while (lookups_ > 0 && clock::now() < end)
    io_.run_one_for(std::chrono::milliseconds(10));
}

template <class F>
void peer_endpoint::impl::post(F work) {
  boost::asio::post(io_, std::move(work));
}

peer_endpoint::impl::objection peer_endpoint::impl::object_to(const peer_hello& hello) const {
  if (hello.node_id == config_.self.node_id) {
    return {peer_refusal::own_id,
            hello.incarnation == incarnation_
                ? fmt::format("this is node {} itself", hello.node_id)
                : fmt::format("there is a node {} already, at {}: give this one another id",
                              hello.node_id, config_.self.address)};
  }
  if (is_observer(config_.self)) {
    if (is_observer(hello) || (hello.capabilities & k_peer_takes_observers) == 0) {
      return {peer_refusal::observer,
              fmt::format("node {} takes no observers: its version is older", hello.node_id)};
    }
    return {};
  }
  if (is_observer(hello)) return {};  // of whatever cluster this node is; see begin_observer()
  return object_to_cluster(hello);
}

peer_endpoint::impl::objection peer_endpoint::impl::object_to_cluster(
    const peer_hello& hello) const {
  const auto cluster = config_.cluster_id();
  if (cluster.empty() && hello.cluster_id.empty()) {
    return {peer_refusal::no_cluster,
            "neither side belongs to a cluster yet: one of them must bootstrap"};
  }
  if (!cluster.empty() && !hello.cluster_id.empty() && cluster != hello.cluster_id) {
    return {peer_refusal::wrong_cluster,
            fmt::format("node {} belongs to {}, node {} to {}", hello.node_id,
                        named(hello.cluster_id), config_.self.node_id, named(cluster))};
  }
  if (config_.refuse) {
    auto reason = config_.refuse(hello);
    if (!reason.empty()) return {peer_refusal::policy, std::move(reason)};
  }
  return {};
}

peer_hello peer_endpoint::impl::own_hello(std::size_t lane, std::uint64_t session) const {
  peer_hello out = config_.self;
  out.lane = static_cast<std::uint8_t>(lane);
  out.incarnation = incarnation_;
  out.session = session;
  out.cluster_id = config_.cluster_id();
  out.transport = config_.transports.at(lane);
  return out;
}

void peer_endpoint::impl::hand_over(const peer_hello& hello, bool dialled,
                                    std::array<connection_ptr, k_peer_lane_count>& lanes,
                                    const std::array<std::string, k_peer_lane_count>& transports) {
  peer_link made;
  made.hello = hello;
  made.dialled = dialled;
  made.transports = transports;
  bool whole = true;
  for (std::size_t i = 0; i < k_peer_lane_count; ++i) {
    made.descriptors.at(i) = lanes.at(i)->release();
    whole = whole && made.descriptors.at(i) >= 0;
  }
  if (!whole) {
    for (const int descriptor : made.descriptors)
      if (descriptor >= 0) ::close(descriptor);
    return wake_targets(hello.node_id);
  }
  if (is_observer(hello)) {
    observers_[hello.node_id] = {hello.session, hello.data_id};
    return config_.on_link(std::move(made));
  }
  observers_.erase(hello.node_id);
  table_.linked(hello.node_id, {hello.session, hello.incarnation, hello.data_id, clock::now()});
  for (auto& [key, t] : targets_) {
    if (t->node == hello.node_id || t->met == hello.node_id) t->linked_at = clock::now();
  }
  config_.on_link(std::move(made));
}

void peer_endpoint::impl::refused(peer_refusal why, bool inbound, const std::string& line) {
  if (why == peer_refusal::none) return;
  // Two of them belong to how nodes find each other and are nobody's fault.
  if (why != peer_refusal::crossed && why != peer_refusal::already_linked)
    log_.add(why, inbound, clock::now(), line);
  if (config_.on_refused) config_.on_refused(why, inbound);
}

std::chrono::milliseconds peer_endpoint::impl::jittered(std::chrono::milliseconds span) {
  // Half of it is random, so that two sides that fell over each other do not meet again.
  std::uniform_int_distribution<std::int64_t> part(span.count() / 2, span.count());
  return std::chrono::milliseconds(part(random_));
}

void peer_endpoint::impl::link_lost(const std::string& node, std::uint64_t session) {
  const auto observer = observers_.find(node);
  if (observer != observers_.end() && observer->second.session == session)
    observers_.erase(observer);
  if (!table_.lost(node, session)) return;
  for (auto& [key, t] : targets_) {
    if (t->node != node && t->met != node) continue;
    // A link that lived short counts as a failure: whatever ended it is probably still there.
    const bool lived = clock::now() - t->linked_at > config_.limits.backoff_max;
    t->failures = lived ? 0 : t->failures + 1;
    schedule(key, true);
  }
}

// --- the outside ---------------------------------------------------------------------------------

result<std::unique_ptr<peer_endpoint>> peer_endpoint::open(peer_endpoint_config config) {
  auto state = std::make_unique<impl>(std::move(config));
  auto opened = state->open();
  if (!opened) return opened.error();
  return std::unique_ptr<peer_endpoint>(new peer_endpoint(std::move(state)));
}

peer_endpoint::peer_endpoint(std::unique_ptr<impl> state) : impl_(std::move(state)) {}

void peer_endpoint::run() {
  impl_->thread = std::thread([this] { impl_->run(); });
}

std::uint16_t peer_endpoint::port() const {
  return impl_->port();
}

const std::string& peer_endpoint::address() const {
  return impl_->address();
}

void peer_endpoint::connect(const std::string& node, const std::string& address) {
  impl_->post([this, node, address] { impl_->connect(node, address); });
}

void peer_endpoint::forget(const std::string& node_or_address) {
  impl_->post([this, node_or_address] { impl_->forget(node_or_address); });
}

void peer_endpoint::link_lost(const std::string& node, std::uint64_t session) {
  impl_->post([this, node, session] { impl_->link_lost(node, session); });
}

void peer_endpoint::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->post([this] { impl_->stop(); });
  impl_->thread.join();
  impl_->finish_lookups(k_lookup_patience);
}

peer_endpoint::~peer_endpoint() {
  stop();
  // A name lookup cannot be cancelled and may take longer than a node has to end, but whoever
  // destroys the loop waits for it. So the loop, which does nothing any more, is left behind.
  if (impl_->looking_up()) (void)impl_.release();
}

}  // namespace cairn::net
