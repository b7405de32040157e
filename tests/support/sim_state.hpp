#pragma once
// Private to sim_env: what the env and its open files share. All members are guarded by `mutex`.

#include "tests/support/sim_env.hpp"

#include <deque>
#include <mutex>

namespace cairn::testing {

/// How an operation is to go.
struct sim_verdict {
  std::optional<error> failure;
  /// The world stops with this operation, or a fault hits it: its effect may still take place.
  bool may_take_effect = false;
};

class sim_state {
public:
  explicit sim_state(std::uint64_t seed) : random(seed), public_random(~seed) {}

  std::mutex mutex;
  sim_random random;         // what survives
  sim_random public_random;  // random_u64(): apart, so that callers do not change what survives
  std::shared_ptr<sim_directory> root = std::make_shared<sim_directory>();
  name_order order = name_order::journal;
  /// Handles of an older generation are dead.
  std::uint64_t generation = 0;
  std::uint64_t operations = 0;
  std::optional<std::uint64_t> stop_operation;
  bool stopped = false;
  std::optional<std::uint64_t> capacity_bytes;
  std::function<void(const std::string&)> sync_hook;
  bool reads_cached = true;
  unix_ms now = 1'700'000'000'000;
  std::uint64_t monotonic = 1;
  std::map<std::string, bool> locks;

  struct planned_fault {
    sim_op kind;
    std::uint64_t countdown;
    errc code;
    std::string path_part;
  };
  std::vector<planned_fault> faults;

  struct bad_range {
    std::string path;
    std::uint64_t position;
    std::uint64_t size;
  };
  std::vector<bad_range> bad_ranges;

  /// Counts and logs an operation and decides its fate. Once per operation.
  [[nodiscard]] sim_verdict begin(sim_op kind, const std::string& path, std::uint64_t position = 0,
                                  std::uint64_t size = 0);
  /// The disk as it is now is what a power cut will hit; nothing changes it any more.
  void stop_world();
  void revive();

  [[nodiscard]] std::string describe_recent() const;

  /// The directory that holds the last name of the path, or null.
  [[nodiscard]] sim_directory* parent_of(const std::string& path) const;
  [[nodiscard]] sim_node find(const std::string& path) const;
  /// What a power cut would leave under the path.
  [[nodiscard]] sim_node find_durable(const std::string& path) const;
  [[nodiscard]] std::shared_ptr<sim_inode> must_find_file(const std::string& path) const;
  void make_parents(const std::string& path);
  void visit_files(const std::function<void(sim_inode&)>& visit) const;
  [[nodiscard]] std::uint64_t used_bytes() const;
  /// The error if `growth_bytes` more do not fit.
  [[nodiscard]] std::optional<error> refuse_growth(const std::string& path,
                                                   std::uint64_t growth_bytes) const;

private:
  struct logged {
    std::uint64_t operation;
    sim_op kind;
    std::string path;
    std::uint64_t position;
    std::uint64_t size;
    errc outcome;
  };
  std::deque<logged> recent_;
};

/// The names of a path, without empty ones and ".".
[[nodiscard]] std::vector<std::string> sim_split_path(const std::string& path);
/// The name after the last slash.
[[nodiscard]] std::string sim_base_name(const std::string& path);

/// An open file of the env. @pre state.mutex is not held.
[[nodiscard]] std::unique_ptr<storage::file> make_sim_file(std::shared_ptr<sim_state> state,
                                                           std::shared_ptr<sim_inode> inode,
                                                           std::string path, bool writable);

}  // namespace cairn::testing
