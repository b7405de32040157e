#pragma once
// Cores, their disks and the messages between them, moved by a script: nothing happens by itself.
// What happens is printed; what must never happen ends up in broken().

#include "actors/raft/core.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::testing {

/// What a node finds when it starts again.
struct script_disk {
  raft::hard_state state;
  raft::log_position start;
  record_offset start_offset;
  raft::configuration start_config;
  std::vector<raft::entry> entries;

  void write(const raft::persist_batch& batch);
  /// @pre entries up to `last_removed` are there.
  void trim(log_index last_removed, const raft::configuration& config);
  [[nodiscard]] raft::log_position last() const;
  [[nodiscard]] record_offset offset_after(log_index index) const;
  [[nodiscard]] raft::boot_state boot() const;
};

/// Gives one number again and again: the timeout of an election is then known.
struct script_random final : raft::random_source {
  explicit script_random(std::uint64_t number) : value(number) {}
  std::uint64_t next() override { return value; }
  std::uint64_t value;
};

struct script_node {
  raft::core_config config;
  script_disk disk;
  std::uint64_t starts = 0;
  std::unique_ptr<script_random> random;
  std::unique_ptr<raft::core> core;  // none while it is down
  std::optional<raft::persist_batch> writing;
  std::vector<raft::load_request> loads;
  std::vector<raft::snapshot_needed> snapshots;
};

/// Which messages under way are meant.
struct script_filter {
  std::uint64_t from = 0;  // 0: any
  std::uint64_t to = 0;
  std::string type;  // empty: any
  std::uint64_t skip = 0;
  std::uint64_t count = UINT64_MAX;
};

class script_world {
public:
  using numbers = std::vector<std::uint64_t>;

  /// Nothing if there is no such node.
  [[nodiscard]] script_node* find(std::uint64_t number);
  [[nodiscard]] bool up(std::uint64_t number);
  /// Every node that is up.
  [[nodiscard]] numbers all_up();
  void add(const raft::core_config& config, script_disk disk);

  /// Gives the node an input, and prints `what` (if not empty) and what came of it.
  void step(std::uint64_t number, std::string_view what, raft::input in);
  void tick(std::uint64_t number, std::uint64_t count);
  /// Ticks until it wants to be elected. @returns false if it does not, within two timeouts.
  bool campaign(std::uint64_t number);
  /// Finishes the write under way, if there is one. @returns true if there was.
  bool persist(std::uint64_t number);
  /// Answers the reads of old entries that it has asked for; with none if `fail`.
  bool load(std::uint64_t number, bool fail);
  /// Answers the snapshots that it has asked for, which end at `last` (0: at what is visible).
  bool snapshot(std::uint64_t number, std::uint64_t last);
  /// @pre what is removed is visible and durable.
  void compact(std::uint64_t number, std::uint64_t last_removed);
  /// What is being written is lost, or on disk without anybody knowing (`written`).
  void crash(std::uint64_t number, bool written);
  void restart(std::uint64_t number);

  /// These work on the messages that are under way when they begin. @returns how many they meant.
  std::size_t deliver(const script_filter& which);
  std::size_t drop(const script_filter& which);
  std::size_t duplicate(const script_filter& which);
  std::size_t reverse(const script_filter& which);
  /// Writes, loads, snapshots and messages to these nodes, until nothing is left to do.
  /// @returns false if there is no end.
  bool stabilize(const numbers& among);

  void print_messages();
  void print_log(std::uint64_t number);
  void print_status(std::uint64_t number);

  bool quiet = false;
  std::uint64_t last_proposal = 0;
  std::uint64_t last_read = 0;

  [[nodiscard]] std::string take_output() { return std::exchange(output_, {}); }
  [[nodiscard]] const std::string& broken() const { return broken_; }

private:
  void line(std::string_view text);
  void tick_one(std::uint64_t number, std::uint64_t count);
  void deliver_one(raft::message m);
  void take(std::uint64_t number, std::string_view what);
  void check(const script_node& node, const raft::core_status& before);
  void check_group(const raft::core_status& now, const raft::core& core);
  [[nodiscard]] std::vector<std::size_t> select(const script_filter& which) const;
  [[nodiscard]] std::vector<raft::message> extract(const std::vector<std::size_t>& which);

  std::map<std::uint64_t, script_node> nodes_;
  std::vector<raft::message> network_;
  std::map<term_id, raft::node_id> leaders_;
  std::map<log_index, term_id> committed_;
  std::string output_;
  std::string broken_;
};

/// Runs one command. invalid_argument says what is wrong with it.
[[nodiscard]] status run_command(script_world& world, std::string_view line);

}  // namespace cairn::testing
