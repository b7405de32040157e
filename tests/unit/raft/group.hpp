#pragma once
// A few cores whose messages and writes the test moves by hand. Nothing happens by itself.

#include "actors/raft/core.hpp"
#include "actors/raft/invariants.hpp"
#include "tests/support/sim_random.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace cairn::testing {

struct raft_random final : raft::random_source {
  explicit raft_random(std::uint64_t seed) : random(seed) {}
  std::uint64_t next() override { return random.next(); }
  sim_random random;
};

[[nodiscard]] inline raft::node_set nodes(std::initializer_list<std::uint64_t> numbers) {
  raft::node_set set;
  for (const std::uint64_t n : numbers)
    set.emplace_back(n);
  return set;
}

/// A boot state with entries of the given terms, e.g. {1, 1, 2}; the configuration is at its start.
/// Every entry has one record, also those before the start.
[[nodiscard]] inline raft::boot_state booted(const raft::configuration& config,
                                             const std::vector<std::uint64_t>& terms,
                                             std::uint64_t term, std::uint64_t start_index = 0,
                                             std::uint64_t start_term = 0) {
  raft::boot_state boot;
  boot.state.term = term_id(term);
  boot.start = {log_index(start_index), term_id(start_term)};
  boot.start_offset = record_offset(start_index);
  boot.start_config = config;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (i == 0 || terms[i] != terms[i - 1]) {
      boot.terms.push_back({log_index(start_index + i + 1), term_id(terms[i])});
    }
  }
  boot.last = log_index(start_index + terms.size());
  boot.next_offset = boot.start_offset.plus(terms.size());
  return boot;
}

/// One core with its outputs. Writes wait for write_done() unless `instant_disk`.
class raft_node {
public:
  raft_node(raft::core_config config, const raft::boot_state& boot)
      : config_(config), random_(config.self.value()), core(config, boot, random_) {}

  void step(raft::input in) {
    const raft::core_status before = core.status();
    core.step(std::move(in));
    take();
    const raft::core_status after = core.status();
    CHECK(raft::broken_invariant(after, config_) == "");
    CHECK(raft::broken_transition(before, after) == "");
  }
  void tick(int count = 1) {
    for (int i = 0; i < count; ++i)
      step(raft::tick{});
  }
  /// Ticks until this node wants to be elected.
  void time_out() {
    for (int i = 0; i < 100 && core.as() == raft::role::follower; ++i)
      step(raft::tick{});
  }
  void receive(std::uint64_t from, std::uint64_t term, raft::message_body body) {
    step(raft::message{raft::node_id(from), config_.self, term_id(term), std::move(body)});
  }
  /// Finishes the write under way. @returns what it was.
  raft::persist_batch write_done() {
    REQUIRE(writing.has_value());
    raft::persist_batch batch = std::move(*writing);
    writing.reset();
    step(raft::persist_done{batch.ticket});
    return batch;
  }
  void write_all() {
    while (writing)
      write_done();
  }
  void propose(std::uint64_t id, std::size_t size_bytes = 8) {
    raft::propose in;
    in.id = raft::proposal_id(id);
    in.record_count = 1;
    in.payload = shared_bytes::copy_of(std::vector<std::byte>(size_bytes));
    step(std::move(in));
  }

  /// The messages of one kind that have left, removed from the outbox.
  template <class Body>
  std::vector<std::pair<raft::message, Body>> sent() {
    std::vector<std::pair<raft::message, Body>> found;
    std::erase_if(outbox, [&found](const raft::message& m) {
      const Body* body = std::get_if<Body>(&m.body);
      if (body != nullptr) found.emplace_back(m, *body);
      return body != nullptr;
    });
    return found;
  }
  template <class Body>
  Body sent_one() {
    auto found = sent<Body>();
    REQUIRE(found.size() == 1);
    return found.front().second;
  }

private:
  raft::core_config config_;
  raft_random random_;

  void take() {
    raft::ready ready = core.take_ready();
    for (raft::message& m : ready.messages)
      outbox.push_back(std::move(m));
    for (auto& a : ready.proposals)
      answers.push_back(a);
    for (auto& r : ready.reads)
      reads.push_back(r);
    for (auto& n : ready.notices)
      notices.push_back(n);
    for (auto& e : ready.elections)
      elections.push_back(e);
    for (auto& l : ready.loads)
      loads.push_back(l);
    for (auto& s : ready.snapshots)
      snapshots.push_back(s);
    if (ready.visible) visible = *ready.visible;
    if (!ready.persist) return;
    REQUIRE_FALSE(writing.has_value());
    writing = std::move(ready.persist);
    if (instant_disk) write_done();
  }

public:
  raft::core core;
  bool instant_disk = false;
  std::vector<raft::message> outbox;
  std::optional<raft::persist_batch> writing;
  std::vector<raft::proposal_answer> answers;
  std::vector<raft::read_answer> reads;
  std::vector<raft::notice> notices;
  std::vector<raft::election_step> elections;
  std::vector<raft::load_request> loads;
  std::vector<raft::snapshot_needed> snapshots;
  log_index visible;
};

[[nodiscard]] inline raft::core_config config_of(std::uint64_t self) {
  raft::core_config config;
  config.self = raft::node_id(self);
  config.quiesce_after_ticks = 0;
  return config;
}

/// Nodes 1..n with instant disks; deliver() carries messages until none is left.
class raft_group {
public:
  using filter = std::function<bool(const raft::message&)>;

  explicit raft_group(std::uint64_t count,
                      const std::function<void(raft::core_config&)>& adjust = {}) {
    raft::configuration config;
    for (std::uint64_t i = 1; i <= count; ++i)
      config.voters.emplace_back(i);
    for (std::uint64_t i = 1; i <= count; ++i) {
      add(i, booted(config, {}, 1), adjust);
    }
  }
  raft_node& add(std::uint64_t number, const raft::boot_state& boot,
                 const std::function<void(raft::core_config&)>& adjust = {}) {
    raft::core_config config = config_of(number);
    if (adjust) adjust(config);
    auto& node = nodes_[number] = std::make_unique<raft_node>(config, boot);
    node->instant_disk = true;
    return *node;
  }
  raft_node& operator[](std::uint64_t number) { return *nodes_.at(number); }
  void restart(std::uint64_t number, const raft::boot_state& boot) { add(number, boot); }

  /// Messages for which `lost` holds vanish.
  void deliver(const filter& lost = {}) {
    for (int round = 0; round < 1000; ++round) {
      std::vector<raft::message> under_way;
      for (auto& [number, node] : nodes_) {
        for (raft::message& m : node->outbox)
          under_way.push_back(std::move(m));
        node->outbox.clear();
      }
      if (under_way.empty()) return;
      for (raft::message& m : under_way) {
        const auto to = nodes_.find(m.to.value());
        if (to == nodes_.end() || (lost && lost(m))) continue;
        to->second->step(std::move(m));
      }
    }
    FAIL("messages never end");
  }
  void tick(int count = 1, const filter& lost = {}) {
    for (int i = 0; i < count; ++i) {
      for (auto& [number, node] : nodes_)
        node->step(raft::tick{});
      deliver(lost);
    }
  }
  raft_node& elect(std::uint64_t number, const filter& lost = {}) {
    raft_node& node = *nodes_.at(number);
    node.time_out();
    deliver(lost);
    REQUIRE(node.core.as() == raft::role::leader);
    return node;
  }

private:
  std::map<std::uint64_t, std::unique_ptr<raft_node>> nodes_;
};

/// Loses what goes to or comes from these nodes.
[[nodiscard]] inline raft_group::filter cut_off(std::initializer_list<std::uint64_t> numbers) {
  return [set = nodes(numbers)](const raft::message& m) {
    return raft::holds(set, m.from) || raft::holds(set, m.to);
  };
}

}  // namespace cairn::testing
