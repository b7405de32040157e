#pragma once
// A group of Raft cores in one thread: seeded network and disks, clients, and the checks of what a
// consensus algorithm promises. No real time, no storage code: the disk is a model that loses what
// was not synced.

#include "actors/raft/invariants.hpp"
#include "actors/recorder/recorded_core.hpp"
#include "tests/sim/raft_truth.hpp"
#include "tests/support/sim_random.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace cairn::testing {

/// Which faults exist in a run and how often, all drawn from the seed. Times are in tenths of a
/// tick.
struct raft_swarm {
  std::uint64_t node_count = 3;  ///< machines; the first voters are all of them or all but two
  std::uint64_t voter_count = 3;
  std::uint64_t delay_max = 10;  ///< of a message
  std::uint64_t disk_max = 10;   ///< of a write
  std::uint64_t loss_percent = 0;
  std::uint64_t replay_percent = 0;
  std::uint64_t crash_interval = 0;  ///< mean time between; 0: never, as below
  std::uint64_t partition_interval = 0;
  std::uint64_t hang_interval = 0;  ///< a write that takes very long
  std::uint64_t member_interval = 0;
  std::uint64_t transfer_interval = 0;
  std::uint64_t trim_interval = 0;
  std::uint64_t propose_interval = 10;
  std::uint64_t read_interval = 30;
  bool small_windows = false;      ///< limits of a few entries
  std::uint64_t append_bytes = 0;  ///< of one message, if so
  bool coups = false;              ///< a new leader is mostly cut off soon
  bool quiesce = false;

  [[nodiscard]] static raft_swarm draw(sim_random& random);
  [[nodiscard]] std::string text() const;
};

class raft_world {
public:
  /// With `recorder_bytes`, each core has a flight recorder with so large a ring, and whenever it
  /// ends its recording is gone through again: a core that does not do the same breaks a promise.
  explicit raft_world(std::uint64_t seed, std::uint64_t recorder_bytes = 0);

  /// Faults for `fault_time`, then none, until all members agree. @returns the first broken
  /// promise, empty if none.
  std::string run(std::uint64_t fault_time = 2500);

  /// Over all that happened: equal for equal seeds.
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }
  [[nodiscard]] const raft_swarm& swarm() const { return swarm_; }
  [[nodiscard]] std::uint64_t event_count() const { return event_count_; }
  /// Images of a core's state that recorders wrote, and inputs that were replayed.
  [[nodiscard]] std::uint64_t image_count() const { return image_count_; }
  [[nodiscard]] std::uint64_t replayed_count() const { return replayed_count_; }
  [[nodiscard]] const raft_truth& truth() const { return truth_; }
  [[nodiscard]] std::uint64_t now() const { return now_; }

private:
  struct generator final : raft::random_source {
    explicit generator(std::uint64_t seed) : random(seed) {}
    std::uint64_t next() override { return random.next(); }
    sim_random random;
  };
  struct machine {
    raft::core_config config;
    raft_image disk;
    std::unique_ptr<generator> random;
    std::shared_ptr<actors::flight_recorder> recorder;
    std::unique_ptr<actors::recorded_core> core;  // null: crashed
    std::uint64_t life = 0;  // counts starts; events of an earlier life are void
    std::optional<raft::persist_batch> writing;
    raft::core_status last_status;
    std::set<std::uint64_t> open_proposals;
    std::map<std::uint64_t, log_index> open_reads;  // with what was committed when they were asked
  };
  struct timer {};
  struct fault {
    enum class kind : std::uint8_t {
      crash,
      partition,
      hang,
      members,
      transfer,
      trim,
      propose,
      read
    };
    kind what;
  };
  struct restart {};
  struct heal {};
  struct fall {
    bool down;  // a leader is cut off, or comes back
  };
  struct suspect {
    raft::node_id node;
    bool reachable;
  };
  using happening = std::variant<timer, raft::input, fault, restart, heal, fall, suspect>;
  struct event {
    std::uint64_t time;
    std::uint64_t order;
    std::uint64_t machine;
    std::uint64_t life;
    std::shared_ptr<happening> what;
    bool operator>(const event& other) const {
      return std::tie(time, order) > std::tie(other.time, other.order);
    }
  };

  void at(std::uint64_t delay, std::uint64_t machine, happening what);
  void at_fault(fault::kind kind, std::uint64_t interval);
  void start(std::uint64_t index);
  void crash(std::uint64_t index);
  void check_recording(std::uint64_t index);
  void give(std::uint64_t index, raft::input in);
  void carry_out(std::uint64_t index);
  void send(std::uint64_t from, raft::message m);
  void take_answers(std::uint64_t index, const raft::ready& ready);
  void handle(const event& e);
  void happen(fault f);
  void partition();
  void change_members();
  void transfer();
  void trim();
  void propose();
  void read();
  void answer_loads(std::uint64_t index, const raft::ready& ready);
  void give_snapshot(std::uint64_t index, const raft::snapshot_needed& want);
  void fail(std::uint64_t index, const std::string& why);
  void trace(std::uint64_t value);
  [[nodiscard]] std::uint64_t any_alive();
  [[nodiscard]] std::optional<std::uint64_t> leader();
  [[nodiscard]] bool converged();
  [[nodiscard]] std::string states() const;
  std::string finish();

  const std::uint64_t recorder_bytes_;
  sim_random random_;
  raft_swarm swarm_;
  raft_truth truth_;
  std::vector<machine> machines_;
  std::priority_queue<event, std::vector<event>, std::greater<>> events_;
  std::vector<std::uint64_t> side_;  // of a partition, for each machine
  bool one_way_ = false;
  bool faults_ = true;
  std::uint64_t now_ = 0;
  std::uint64_t order_ = 0;
  std::uint64_t event_count_ = 0;
  std::uint64_t image_count_ = 0;
  std::uint64_t replayed_count_ = 0;
  std::uint64_t last_value_ = 0;
  std::uint64_t last_read_ = 0;
  std::uint64_t trace_hash_ = 0xcbf29ce484222325U;
  std::string failure_;
};

}  // namespace cairn::testing
