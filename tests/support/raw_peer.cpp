#include "tests/support/raw_peer.hpp"

#include "storage/base/check.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cairn::testing {

namespace {

constexpr int k_patience_ms = 20'000;

bool ready(int descriptor, short events, int most_ms) {
  pollfd p{descriptor, events, 0};
  return ::poll(&p, 1, most_ms) > 0;
}

}  // namespace

raw_peer::raw_peer(std::uint16_t port, int receive_buffer_bytes)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer_bytes > 0) {
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                 sizeof(receive_buffer_bytes));
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CAIRN_CHECK(::connect(descriptor_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0,
              "cannot connect to port {}: {}", port, errno);
}

raw_peer::~raw_peer() {
  close();
}

raw_peer::raw_peer(raw_peer&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

bool raw_peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!ready(descriptor_, POLLOUT, k_patience_ms)) return false;
    const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string raw_peer::receive(std::size_t size) {
  std::string out(size, '\0');
  std::size_t have = 0;
  while (have < size && ready(descriptor_, POLLIN, k_patience_ms)) {
    const auto got = ::recv(descriptor_, out.data() + have, size - have, 0);
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  out.resize(have);
  return out;
}

bool raw_peer::closed_within(std::chrono::milliseconds most) {
  const auto end = std::chrono::steady_clock::now() + most;
  std::string scratch(65536, '\0');
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !ready(descriptor_, POLLIN, static_cast<int>(left.count())))
      return false;
    if (::recv(descriptor_, scratch.data(), scratch.size(), 0) <= 0) return true;
  }
}

void raw_peer::reset() {
  const linger now{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close();
}

void raw_peer::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

std::optional<raw_peer::frame> raw_peer::receive_frame() {
  auto header = net::decode_header(receive(net::k_peer_header_bytes));
  if (!header) return std::nullopt;
  frame out{*header, receive(header->body_bytes)};
  if (out.body.size() != header->body_bytes) return std::nullopt;
  return out;
}

raw_peer::answer raw_peer::greet(const net::peer_hello& hello) {
  send(net::encode_hello(net::peer_frame_type::hello, hello));
  answer out;
  const auto got = receive_frame();
  if (!got) return out;
  if (got->header.type == net::peer_frame_type::welcome) {
    auto welcome = net::decode_hello(got->body);
    if (welcome) out.welcome = *welcome;
  } else if (auto refusal = net::decode_refusal(got->body)) {
    out.refusal = *refusal;
  }
  return out;
}

raw_listener::raw_listener() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(at);
  auto* const address = reinterpret_cast<sockaddr*>(&at);
  CAIRN_CHECK(::bind(descriptor_, address, size) == 0 && ::listen(descriptor_, 16) == 0 &&
                  ::getsockname(descriptor_, address, &size) == 0,
              "cannot listen: {}", errno);
  port_ = ntohs(at.sin_port);
}

raw_listener::~raw_listener() {
  ::close(descriptor_);
}

std::optional<raw_peer> raw_listener::accept() {
  if (!ready(descriptor_, POLLIN, k_patience_ms)) return std::nullopt;
  const int got = ::accept(descriptor_, nullptr, nullptr);
  if (got < 0) return std::nullopt;
  return raw_peer(nullptr, got);
}

net::peer_hello right_hello(const std::string& node, const std::string& cluster) {
  static std::atomic<std::uint64_t> next{1};
  net::peer_hello out;
  out.incarnation = next.fetch_add(1);
  out.session = next.fetch_add(1);
  out.node_id = node;
  out.data_id = "data-of-" + node;
  out.cluster_id = cluster;
  // CAF: a hashed node id (kind, process id, host), and the number of an actor.
  out.transport.push_back(1);
  put_be(out.transport, static_cast<std::uint32_t>(out.incarnation + 1));
  out.transport.append(20, 'h');
  put_be(out.transport, std::uint64_t{77});
  return out;
}

net::peer_hello observer_hello(const std::string& id) {
  auto out = right_hello(id, "");
  out.capabilities = net::k_peer_observer;
  return out;
}

std::string raw_header::bytes() const {
  std::string out;
  put_be(out, operation);
  put_be(out, padding);
  put_be(out, flags);
  put_be(out, payload_bytes);
  put_be(out, data);
  put_be(out, source);
  put_be(out, target);
  return out;
}

std::string raw_envelope::bytes(std::uint16_t type_id) const {
  std::string out;
  put_be(out, std::uint16_t{1});  // no forwarding, one value
  put_be(out, type_id);
  put_be(out, kind);
  put_be(out, static_cast<std::uint8_t>(cluster.size()));
  put_be(out, static_cast<std::uint8_t>(sender.size()));
  put_be(out, static_cast<std::uint8_t>(log.size()));
  put_be(out, static_cast<std::uint32_t>(head.size()));
  put_be(out, static_cast<std::uint32_t>(body.size()));
  return out + cluster + sender + log + head + body;
}

raw_node::raw_node(std::uint16_t port, const std::string& node, const std::string& cluster,
                   int receive_buffer_bytes)
    : raw_node(port, right_hello(node, cluster), receive_buffer_bytes) {}

raw_node::raw_node(std::uint16_t port, net::peer_hello hello, int receive_buffer_bytes)
    : control(port, receive_buffer_bytes), bulk(port, receive_buffer_bytes) {
  control_actor = join(control, hello);
  hello.lane = 1;
  bulk_actor = join(bulk, hello);
  shake_hands(control, hello);
  shake_hands(bulk, hello);
}

std::uint64_t raw_node::join(raw_peer& lane, const net::peer_hello& hello) {
  const auto answer = lane.greet(hello);
  CAIRN_CHECK(answer.welcome.has_value(), "refused: {}", answer.refusal.reason);
  std::uint64_t actor = 0;
  const auto& transport = answer.welcome->transport;
  for (const char c : transport.substr(transport.size() - 8))
    actor = (actor << 8) | static_cast<unsigned char>(c);
  return actor;
}

void raw_node::shake_hands(raw_peer& lane, const net::peer_hello& hello) {
  const auto node = hello.transport.substr(0, hello.transport.size() - 8);
  raw_header header;
  header.operation = 1;
  header.payload_bytes = static_cast<std::uint32_t>(node.size());
  lane.send(header.bytes() + node);
  // BASP's server speaks first; its handshake is not needed here.
  const auto got = lane.receive(32);
  CAIRN_CHECK(got.size() == 32 && got[0] == 0, "no handshake of BASP's server");
  std::uint32_t size = 0;
  for (const char c : got.substr(4, 4))
    size = (size << 8) | static_cast<unsigned char>(c);
  (void)lane.receive(size);
}

}  // namespace cairn::testing
