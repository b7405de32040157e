// Many connections at once: who waits for whom.
#include "tests/unit/net/gateway_fixture.hpp"

#include <atomic>
#include <condition_variable>
#include <doctest/doctest.h>
#include <mutex>
#include <vector>

namespace cairn::test {
namespace {

using std::chrono::milliseconds;

/// A node that holds up the thread that asks whether it is ready.
class stuck_backend final : public net::backend {
public:
  std::unique_ptr<net::backend_port> open_port(std::function<void()> wake) override {
    return node_.open_port(std::move(wake));
  }
  const std::string& node_id() const override { return node_.node_id(); }
  std::vector<std::string> unready_reasons() const override {
    std::unique_lock lock(mutex_);
    stuck_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return released_; });
    return {};
  }
  std::optional<std::uint64_t> max_record_bytes(std::string_view log) const override {
    return node_.max_record_bytes(log);
  }
  std::optional<record_offset> next_offset(std::string_view log) const override {
    return node_.next_offset(log);
  }

  void wait_until_stuck() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stuck_; });
  }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

private:
  fake_backend node_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool stuck_ = false;
  bool released_ = false;
};

TEST_CASE("gateway: a thread that is held up gets few new connections, the others serve the rest") {
  constexpr std::string_view k_livez = "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n";
  constexpr std::size_t k_clients = 64;
  stuck_backend node;
  net::gateway_config config;
  config.threads = 2;
  config.registry = std::make_shared<prometheus::Registry>();
  auto server = net::gateway::start(config, node);
  REQUIRE(server.ok());
  const std::uint16_t port = (*server)->port();
  // The first thread accepts and has the first connection, so the second one's is held up.
  raw_client first(port);
  REQUIRE(first.ask(k_livez).status == 200);
  raw_client second(port);
  second.send("GET /readyz HTTP/1.1\r\nHost: t\r\n\r\n");
  node.wait_until_stuck();

  std::vector<raw_client> clients;
  for (std::size_t i = 0; i < k_clients; ++i)
    REQUIRE(clients.emplace_back(port).send(k_livez));
  std::vector<raw_client*> open;
  for (raw_client& client : clients)
    open.push_back(&client);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (open.size() > k_clients / 4 && std::chrono::steady_clock::now() < deadline) {
    std::erase_if(open, [](raw_client* client) {
      return client->has_input(milliseconds(1)) && client->receive().status == 200;
    });
  }
  CHECK(open.size() <= k_clients / 4);  // half of them, if they were handed out blindly
  node.release();
  for (raw_client* client : open)
    CHECK(client->receive().status == 200);
  CHECK(second.receive().status == 200);
}

}  // namespace
}  // namespace cairn::test
