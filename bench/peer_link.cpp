// Two processes, a hub each, over loopback: how long an envelope and its answer take, and how many
// bytes a second go one way. `peer_link_bench [round trips] [MiB]`.

#include "actors/type_ids.hpp"
#include "apps/node_actors.hpp"
#include "apps/peer_hub.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <future>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace cairn;
using actors::link_changed;
using actors::peer_envelope;
using actors::peer_kind;
using actors::peer_lane;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t k_body_bytes = std::size_t{256} << 10;

std::unique_ptr<apps::node_peer_hub> make_hub(const std::string& node) {
  apps::peer_hub_config config;
  config.node_id = node;
  config.data_id = "bench-" + node;
  config.cluster_id = [] { return std::string("bench"); };
  config.log = [](std::string_view) {};
  auto made = apps::make_peer_hub(std::move(config));
  CAIRN_CHECK(made.ok(), "{}", made.error().detail);
  return std::move(*made);
}

peer_envelope envelope(std::size_t head, std::size_t body) {
  peer_envelope x;
  x.log = "default";
  x.head = shared_bytes::copy_of(as_byte_span(std::string(head, 'h')));
  x.body = shared_bytes::copy_of(as_byte_span(std::string(body, 'b')));
  return x;
}

/// Answers what is small at once, and says when all of the bulk has come. Ends with its parent.
int run_echo(int to_parent) {
  apps::actor_settings settings;
  caf::actor_system system(settings);
  auto hub = make_hub("n2");
  std::promise<void> over;
  std::uint64_t bulk = 0;
  // Detached, as a RaftActor is.
  auto actor = system.spawn<caf::detached>([&](caf::event_based_actor*) -> caf::behavior {
    return {
        [&](const peer_envelope& x) {
          if (x.body.size() < k_body_bytes) {
            (void)hub->send("n1", peer_lane::control, envelope(x.head.size(), 0));
          } else {
            bulk += x.body.size();
            if (x.head.size() == 1) (void)hub->send("n1", peer_lane::control, envelope(1, 0));
          }
        },
        [&](const link_changed& x) {
          if (!x.up) over.set_value();
        },
    };
  });
  hub->route(peer_kind::raft, "default", actor);
  hub->watch(actor);
  const std::uint16_t port = hub->port();
  CAIRN_CHECK(::write(to_parent, &port, sizeof(port)) == sizeof(port), "pipe");
  over.get_future().wait();
  hub->stop();
  caf::anon_send_exit(actor, caf::exit_reason::kill);
  return 0;
}

double us(clock_type::duration span) {
  return std::chrono::duration<double, std::micro>(span).count();
}

int run_measure(std::uint16_t port, std::size_t round_trips, std::size_t mebibytes) {
  apps::actor_settings settings;
  caf::actor_system system(settings);
  auto hub = make_hub("n1");
  std::promise<void> up;
  std::promise<void> done;
  std::promise<void> bulk_done;
  bool pinging = true;
  std::vector<double> times;
  clock_type::time_point sent;
  auto ping = [&] {
    sent = clock_type::now();
    (void)hub->send("n2", peer_lane::control, envelope(64, 0));
  };
  auto actor = system.spawn<caf::detached>([&](caf::event_based_actor*) -> caf::behavior {
    return {
        [&](const peer_envelope&) {
          if (!pinging) return bulk_done.set_value();
          times.push_back(us(clock_type::now() - sent));
          if (times.size() < round_trips) return ping();
          pinging = false;
          done.set_value();
        },
        [&](const link_changed& x) {
          if (x.up) up.set_value();
        },
    };
  });
  hub->route(peer_kind::raft, "default", actor);
  hub->watch(actor);
  hub->connect("n2", fmt::format("127.0.0.1:{}", port));
  up.get_future().wait();
  ping();
  done.get_future().wait();
  std::sort(times.begin(), times.end());
  const auto at = [&](double part) {
    return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
  };
  fmt::print("round trip, 64 bytes, {} times: p50 {:.0f} us, p90 {:.0f} us, p99 {:.0f} us\n",
             round_trips, at(0.5), at(0.9), at(0.99));
  const auto body = envelope(2, k_body_bytes);
  const std::size_t count = mebibytes * 4;
  const auto begun = clock_type::now();
  for (std::size_t i = 0; i < count; ++i) {
    auto next = body;
    if (i + 1 == count) next.head = next.head.slice(0, 1);
    while (!hub->send("n2", peer_lane::bulk, next))
      std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  bulk_done.get_future().wait();
  const auto took = us(clock_type::now() - begun);
  fmt::print("one way, 256 KiB bodies, {} MiB: {:.0f} MB/s\n", mebibytes,
             static_cast<double>(count * k_body_bytes) / took);
  hub->stop();
  caf::anon_send_exit(actor, caf::exit_reason::kill);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::size_t round_trips = argc > 1 ? std::stoul(argv[1]) : 20'000;
  const std::size_t mebibytes = argc > 2 ? std::stoul(argv[2]) : 2'048;
  int ends[2];
  CAIRN_CHECK(::pipe(ends) == 0, "pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    const int code = run_echo(ends[1]);
    std::fflush(nullptr);
    ::_exit(code);
  }
  std::uint16_t port = 0;
  CAIRN_CHECK(::read(ends[0], &port, sizeof(port)) == sizeof(port), "the other process ended");
  const int code = run_measure(port, round_trips, mebibytes);
  ::waitpid(child, nullptr, 0);
  return code;
}
