#pragma once
// Real hubs over loopback in one process, and what their actors get.

#include "actors/type_ids.hpp"
#include "apps/node_actors.hpp"
#include "apps/peer_hub.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <doctest/doctest.h>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace cairn::testing {

using actors::link_changed;
using actors::peer_envelope;
using actors::peer_kind;
using actors::peer_lane;
using namespace std::chrono_literals;

/// Long enough for a busy machine; a test that waits so long has failed.
inline constexpr auto k_patience = 20s;

inline peer_envelope text_envelope(const std::string& head, const std::string& body = {},
                                   peer_kind kind = peer_kind::raft) {
  peer_envelope x;
  x.log = "default";
  x.kind = kind;
  x.head = shared_bytes::copy_of(as_byte_span(head));
  x.body = shared_bytes::copy_of(as_byte_span(body));
  return x;
}

/// What came, and a way to wait for it. Any thread.
class notes {
public:
  void add(peer_envelope x) {
    const std::lock_guard lock(mutex_);
    envelopes_.push_back(std::move(x));
    changed_.notify_all();
  }
  void change(const link_changed& x) {
    const std::lock_guard lock(mutex_);
    links_.push_back(x);
    up_[x.node] = x.up;
    changed_.notify_all();
  }
  void line(std::string_view text) {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(text);
    changed_.notify_all();
  }

  [[nodiscard]] bool wait(const std::function<bool(const notes&)>& done,
                          std::chrono::milliseconds most = k_patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, most, [&] { return done(*this); });
  }
  [[nodiscard]] bool wait_up(const std::string& node, bool up = true) {
    return wait([&](const notes& n) {
      const auto found = n.up_.find(node);
      return found != n.up_.end() && found->second == up;
    });
  }
  [[nodiscard]] bool wait_count(std::size_t count) {
    return wait([&](const notes& n) { return n.envelopes_.size() >= count; });
  }
  [[nodiscard]] bool wait_line(const std::string& part) {
    return wait([&](const notes& n) { return n.has_line(part); });
  }

  // Only inside wait(), or when nothing comes any more.
  [[nodiscard]] bool has_line(const std::string& part) const {
    return std::any_of(lines_.begin(), lines_.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  }
  [[nodiscard]] std::size_t change_count() const { return links_.size(); }
  [[nodiscard]] std::vector<peer_envelope> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(envelopes_, {});
  }
  [[nodiscard]] std::vector<link_changed> changes() {
    const std::lock_guard lock(mutex_);
    return links_;
  }
  [[nodiscard]] std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<peer_envelope> envelopes_;
  std::vector<link_changed> links_;
  std::map<std::string, bool> up_;
  std::vector<std::string> lines_;
};

/// Gets a node's envelopes and link changes.
inline caf::actor note_taker(caf::actor_system& system, notes& to) {
  return system.spawn([&to](caf::event_based_actor*) -> caf::behavior {
    return {
        [&to](peer_envelope& x) { to.add(std::move(x)); },
        [&to](const link_changed& x) { to.change(x); },
    };
  });
}

/// Returns once it takes no more notes: only then may the notes go.
inline void end_note_taker(caf::actor_system& system, const caf::actor& taker) {
  caf::scoped_actor self{system};
  self->send_exit(taker, caf::exit_reason::kill);
  self->wait_for(taker);
}

/// One node: its hub, and an actor that takes raft envelopes of the log "default" and link changes.
struct hub_node {
  hub_node(caf::actor_system& s, apps::peer_hub_config config) : system(s) {
    config.log = [this](std::string_view line) { got.line(line); };
    auto made = apps::make_peer_hub(std::move(config));
    CAIRN_CHECK(made.ok(), "{}", made.error().detail);
    hub = std::move(*made);
    taker = note_taker(system, got);
    hub->route(peer_kind::raft, "default", taker);
    hub->watch(taker);
  }
  ~hub_node() {
    hub.reset();
    end_note_taker(system, taker);
  }
  hub_node(const hub_node&) = delete;
  hub_node& operator=(const hub_node&) = delete;

  caf::actor_system& system;
  notes got;
  caf::actor taker;
  std::unique_ptr<apps::node_peer_hub> hub;
};

class hub_world {
public:
  /// As a node does: a write to a pipe that CAF is just closing must not end the process.
  hub_world() { std::signal(SIGPIPE, SIG_IGN); }

  static apps::peer_hub_config settings(const std::string& node,
                                        const std::string& cluster = "c1") {
    apps::peer_hub_config config;
    config.node_id = node;
    config.data_id = "data-of-" + node;
    config.cluster_id = [cluster] { return cluster; };
    config.limits.backoff_min = 20ms;
    config.limits.backoff_max = 200ms;
    return config;
  }
  std::unique_ptr<hub_node> start(apps::peer_hub_config config) {
    return std::make_unique<hub_node>(system, std::move(config));
  }
  std::unique_ptr<hub_node> start(const std::string& node) { return start(settings(node)); }

  apps::actor_settings settings_of_system;
  caf::actor_system system{settings_of_system};
};

inline void link(hub_node& from, hub_node& to, const std::string& to_id) {
  from.hub->connect(to_id, to.hub->address());
}

}  // namespace cairn::testing
