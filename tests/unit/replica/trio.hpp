#pragma once
// A few replicas whose messages, writes and time the test moves by hand.

#include "actors/replica.hpp"
#include "tests/support/sim_random.hpp"

#include <doctest/doctest.h>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace cairn::testing {

struct replica_random final : raft::random_source {
  explicit replica_random(std::uint64_t seed) : random(seed) {}
  std::uint64_t next() override { return random.next(); }
  sim_random random;
};

[[nodiscard]] inline actors::append_item item_of(actors::request_id id, std::size_t size_bytes = 10,
                                                 std::uint64_t deadline_ms = 10'000) {
  actors::append_item item;
  item.id = id;
  item.payload = shared_bytes::copy_of(as_byte_span(std::string(size_bytes, 'x')));
  item.record_count = 1;
  item.deadline_ns = deadline_ms * 1'000'000;
  return item;
}

[[nodiscard]] inline actors::append_item conditional(actors::request_id id,
                                                     std::uint64_t expected_offset) {
  actors::append_item item = item_of(id);
  item.conditional = true;
  item.expected_offset = record_offset(expected_offset);
  return item;
}

/// One replica and what it has said. Writes are done at once unless `hold_writes`.
struct replica_host {
  replica_host(std::uint64_t number, std::uint64_t count, std::uint32_t quiesce_after_ticks = 0)
      : random(number), it(config_of(number, quiesce_after_ticks), boot_of(count), random) {}

  static actors::replica_config config_of(std::uint64_t number,
                                          std::uint32_t quiesce_after_ticks = 0) {
    actors::replica_config config;
    config.core.self = raft::node_id(number);
    config.core.quiesce_after_ticks = quiesce_after_ticks;
    return config;
  }
  /// Bootstrapped: one config entry that makes nodes 1..count voters.
  static raft::boot_state boot_of(std::uint64_t count) {
    raft::boot_state boot;
    boot.state.term = term_id(1);
    raft::configuration config;
    for (std::uint64_t i = 1; i <= count; ++i)
      config.voters.emplace_back(i);
    boot.last = log_index(1);
    boot.terms.push_back({log_index(1), term_id(1)});
    boot.configs.push_back({log_index(1), config});
    return boot;
  }

  /// Takes effects until writes and reservations lead to nothing new.
  void run() {
    for (bool more = true; more;) {
      more = false;
      actors::replica_effects out = it.take();
      keep(out);
      if (out.reserve_bytes) {
        ++reservations;
        const bool full = *out.reserve_bytes > room_bytes;
        it.room_reserved(full ? errc::disk_full : errc::none, full ? "no room" : "",
                         {room_bytes, room_frames});
        more = true;
      }
      if (out.persist) writing = out.persist;
      if (writing && !hold_writes) {
        finish_write();
        more = true;
      }
    }
  }
  void finish_write(errc code = errc::none) {
    REQUIRE(writing);
    auto batch = std::exchange(writing, nullptr);
    if (code == errc::none) writes.push_back(batch);
    it.persisted(batch->ticket, code, code == errc::none ? "" : "the disk says no",
                 {room_bytes, room_frames});
  }
  void keep(actors::replica_effects& out) {
    if (out.publish) published = *out.publish;
    for (auto& m : out.messages)
      messages.push_back(std::move(m));
    for (auto& a : out.appends)
      forwards.push_back(std::move(a));
    for (auto& o : out.remote_outcomes)
      outcomes_out.push_back(std::move(o));
    for (auto& c : out.outcomes) {
      last_outcomes = c.outcomes;
      for (auto& o : c.outcomes.items)
        CHECK(answers[c.client].emplace(o.id, o).second);  // exactly once
    }
    for (auto& b : out.barriers)
      CHECK(barriers.emplace(b.id, b).second);
    for (const auto token : out.advanced)
      advanced.insert(token);
    for (auto& r : out.requests)
      requests.push_back(r);
    if (out.disk_full) {
      CHECK(disk_full != *out.disk_full);  // only changes are told
      disk_full = *out.disk_full;
      ++changes_of_full;
    }
    released_appends += out.released_appends;
    released_bytes += out.released_bytes;
  }
  [[nodiscard]] const actors::append_outcome* answer(actors::request_id id,
                                                     actors::client_token client = 1) const {
    const auto found = answers.find(client);
    if (found == answers.end()) return nullptr;
    const auto item = found->second.find(id);
    return item == found->second.end() ? nullptr : &item->second;
  }
  [[nodiscard]] errc code(actors::request_id id) const {
    REQUIRE(answer(id) != nullptr);
    return answer(id)->code;
  }

  replica_random random;
  actors::replica it;
  bool hold_writes = false;
  std::uint64_t room_bytes = 64 * k_mib_bytes;
  std::uint64_t room_frames = 1'000'000;
  std::uint64_t reservations = 0;
  std::shared_ptr<const raft::persist_batch> writing;
  std::vector<std::shared_ptr<const raft::persist_batch>> writes;
  std::vector<raft::message> messages;
  std::vector<actors::outgoing_appends> forwards;
  std::vector<actors::outgoing_outcomes> outcomes_out;
  std::map<actors::client_token, std::map<actors::request_id, actors::append_outcome>> answers;
  actors::append_outcomes last_outcomes;
  std::map<std::uint64_t, actors::barrier_answer> barriers;
  std::set<actors::client_token> advanced;
  std::vector<actors::request_answer> requests;
  record_offset published;
  bool disk_full = false;
  int changes_of_full = 0;
  std::uint64_t released_appends = 0;
  std::uint64_t released_bytes = 0;
};

/// Nodes 1..n with all links up.
class replica_group {
public:
  /// `quiesce_after_ticks` 0: an idle group does not sleep.
  explicit replica_group(std::uint64_t count, std::uint32_t quiesce_after_ticks = 0) {
    for (std::uint64_t i = 1; i <= count; ++i)
      hosts_[i] = std::make_unique<replica_host>(i, count, quiesce_after_ticks);
  }
  replica_host& operator[](std::uint64_t number) { return *hosts_.at(number); }

  /// Carries everything until nothing is under way. Nodes in `cut` neither send nor receive.
  void deliver() {
    for (int round = 0; round < 1000; ++round) {
      bool moved = false;
      for (auto& [number, host] : hosts_)
        host->run();
      for (auto& [number, host] : hosts_)
        moved = carry(*host, raft::node_id(number)) || moved;
      if (!moved) return;
    }
    FAIL("messages never end");
  }
  void tick(int count = 1) {
    for (int i = 0; i < count; ++i) {
      now_ns += 50'000'000;
      for (auto& [number, host] : hosts_) {
        host->it.set_time({now_ns, 1'000 + static_cast<unix_ms>(now_ns / 1'000'000)});
        host->it.tick();
      }
      deliver();
    }
  }
  /// Ticks until somebody leads and has committed its first entry.
  replica_host& elect() {
    for (int i = 0; i < 100; ++i) {
      tick();
      for (auto& [number, host] : hosts_) {
        const auto& core = host->it.core();
        if (!cut.contains(number) && host->it.leads() &&
            core.commit_index() == core.log().last_index()) {
          tick(2);
          return *host;
        }
      }
    }
    FAIL("no leader");
    return *hosts_.begin()->second;
  }
  [[nodiscard]] std::uint64_t number_of(const replica_host& host) const {
    return host.it.core().status().self.value();
  }
  /// Some node that does not lead and is not cut off.
  replica_host& follower() {
    for (auto& [number, host] : hosts_) {
      if (!host->it.leads() && !cut.contains(number)) return *host;
    }
    FAIL("all lead");
    return *hosts_.begin()->second;
  }
  /// Cuts a node off, and tells everybody that the links are down.
  void isolate(std::uint64_t number) {
    cut.insert(number);
    links(number, false);
  }
  void heal(std::uint64_t number) {
    cut.erase(number);
    links(number, true);
  }

  std::set<std::uint64_t> cut;
  std::uint64_t now_ns = 0;

private:
  void links(std::uint64_t number, bool up) {
    for (auto& [other, host] : hosts_) {
      if (other == number) continue;
      host->it.link_changed(raft::node_id(number), up);
      hosts_.at(number)->it.link_changed(raft::node_id(other), up);
    }
  }
  replica_host* reach(raft::node_id from, raft::node_id to) {
    if (cut.contains(from.value()) || cut.contains(to.value())) return nullptr;
    const auto found = hosts_.find(to.value());
    return found == hosts_.end() ? nullptr : found->second.get();
  }
  bool carry(replica_host& host, raft::node_id from) {
    auto messages = std::exchange(host.messages, {});
    auto forwards = std::exchange(host.forwards, {});
    auto outcomes = std::exchange(host.outcomes_out, {});
    for (auto& m : messages) {
      if (auto* to = reach(from, m.to)) to->it.receive(from, std::move(m));
    }
    for (auto& f : forwards) {
      if (auto* to = reach(from, f.to)) {
        to->it.receive(from, std::move(f.appends));
      } else {
        host.it.appends_dropped(f.to, f.appends.batch);
      }
    }
    for (auto& o : outcomes) {
      if (auto* to = reach(from, o.to)) to->it.receive(from, o.outcomes);
    }
    return !messages.empty() || !forwards.empty() || !outcomes.empty();
  }

  std::map<std::uint64_t, std::unique_ptr<replica_host>> hosts_;
};

}  // namespace cairn::testing
