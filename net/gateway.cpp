#include "net/gateway.hpp"

#include "net/server/listener.hpp"
#include "net/server/worker.hpp"

#include <atomic>
#include <condition_variable>
#include <fmt/format.h>
#include <mutex>
#include <pthread.h>
#include <random>
#include <thread>
#include <vector>

namespace cairn::net {

namespace {

constexpr std::uint32_t k_threads_max = 64;

}  // namespace

struct gateway::impl {
  impl(const gateway_config& config, backend& node) : shared(config, node) {}

  gateway_shared shared;
  std::vector<std::unique_ptr<worker>> workers;
  std::unique_ptr<listener> accepting;
  std::vector<std::thread> threads;
};

gateway::gateway(std::unique_ptr<impl> parts) : impl_(std::move(parts)) {}

gateway::~gateway() {
  stop(std::chrono::milliseconds(0));
}

result<std::unique_ptr<gateway>> gateway::start(gateway_config config, backend& node) {
  if (config.threads == 0 || config.threads > k_threads_max) {
    return error{errc::invalid_argument,
                 fmt::format("{} gateway threads, not 1 to {}", config.threads, k_threads_max)};
  }
  if (config.registry == nullptr) return error{errc::invalid_argument, "the registry is missing"};
  auto parts = std::make_unique<impl>(config, node);
  std::random_device entropy;
  for (std::uint32_t i = 0; i < config.threads; ++i) {
    const std::uint64_t seed = (std::uint64_t{entropy()} << 32U) | entropy();
    parts->workers.push_back(std::make_unique<worker>(parts->shared, seed));
  }
  parts->accepting = std::make_unique<listener>(parts->shared, parts->workers);
  if (auto opened = parts->accepting->open(); !opened) return opened.error();
  for (const auto& w : parts->workers) {
    parts->threads.emplace_back([home = w.get()] { home->run(); });
    const std::string name = fmt::format("cairn-http-{}", parts->threads.size());
    pthread_setname_np(parts->threads.back().native_handle(), name.c_str());
  }
  return std::unique_ptr<gateway>(new gateway(std::move(parts)));
}

std::uint16_t gateway::port() const {
  return impl_->accepting->port();
}

void gateway::stop(std::chrono::milliseconds deadline) {
  if (impl_->threads.empty()) return;
  impl_->accepting->close();
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t busy = impl_->workers.size();
  for (const auto& w : impl_->workers) {
    w->drain([&] {
      const std::lock_guard lock(mutex);
      --busy;
      changed.notify_one();
    });
  }
  {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, deadline, [&] { return busy == 0; });
  }
  for (const auto& w : impl_->workers)
    w->stop();
  for (std::thread& thread : impl_->threads)
    thread.join();
  impl_->threads.clear();
}

}  // namespace cairn::net
