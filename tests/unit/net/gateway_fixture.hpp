#pragma once
// A gateway on a port of its own over a fake node.

#include "net/gateway.hpp"
#include "tests/support/fake_backend.hpp"
#include "tests/support/raw_http.hpp"

#include <memory>
#include <prometheus/registry.h>
#include <string>
#include <string_view>

namespace cairn::test {

struct gateway_fixture {
  explicit gateway_fixture(net::gateway_limits limits = {}, std::uint32_t threads = 1) {
    net::gateway_config config;
    config.port = 0;
    config.threads = threads;
    config.limits = limits;
    config.registry = registry;
    auto started = net::gateway::start(std::move(config), node);
    CAIRN_CHECK(started.ok(), "{}", started.error().detail);
    server = std::move(*started);
  }

  [[nodiscard]] raw_client connect() const { return raw_client(server->port()); }
  [[nodiscard]] raw_response ask(std::string_view bytes) const { return connect().ask(bytes); }
  [[nodiscard]] raw_response get(std::string_view target, std::string_view lines = {}) const {
    return connect().get(target, lines);
  }
  [[nodiscard]] raw_response post(std::string_view target, std::string_view type,
                                  std::string_view body, std::string_view lines = {}) const {
    return connect().post(target, type, body, lines);
  }
  /// Another connection is served: nothing that came before has done harm.
  [[nodiscard]] bool is_alive() const { return get("/livez").status == 200; }

  fake_backend node;
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  std::unique_ptr<net::gateway> server;
};

inline constexpr std::string_view k_records = "/v1/logs/default/records";

}  // namespace cairn::test
