#pragma once
// A cluster in one thread: the real replica, the real Raft core and the real storage code of each
// node, on simulated disks, network and clocks, under simulated clients and operators. Everything
// follows from the seed.
//
// For some time faults happen. Then all is well again, and the group must elect, commit and
// converge within bounded time. The promises of truth.hpp are checked all the time, those of
// history_checker.hpp at the end.

#include "apps/sim/history.hpp"
#include "apps/sim/machine.hpp"
#include "apps/sim/network.hpp"
#include "apps/sim/scheduler.hpp"
#include "apps/sim/swarm.hpp"
#include "apps/sim/trace.hpp"
#include "apps/sim/truth.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace cairn::sim {

/// What came of a run.
struct run_report {
  std::string broken;  ///< the first broken promise; empty: none
  std::uint64_t trace_hash = 0;
  std::uint64_t event_count = 0;
  std::uint64_t virtual_ns = 0;
  std::uint64_t appends_ok = 0;
  std::uint64_t replays = 0;  ///< of these: answered with what was stored before
  std::uint64_t appends_failed = 0;
  std::uint64_t appends_unknown = 0;
  bool sessions_compared = false;  ///< with what is committed, from the first entry on
  std::uint64_t reads_ok = 0;
  std::uint64_t leaders = 0;  ///< terms that had one
  std::uint64_t restarts = 0;
  std::string last_events;  ///< when something is broken
};

/// Of the log at a time, when the overlay is compared with it.
inline constexpr std::uint64_t k_overlay_read_bytes = 1024 * 1024;

class world {
public:
  world(std::uint64_t seed, const swarm& config);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  run_report run();

private:
  static constexpr std::uint64_t k_world = ~std::uint64_t{0};  // no machine, in notes

  enum class fault_kind : std::uint8_t {
    power_cut,
    kill,
    pause,
    partition,
    isolate,
    clog,
    sync_error,
    disk_full,
    disk_hang,
    bit_flip,
    clock_jump,
    members,
    transfer,
    trim
  };
  /// A call that a client waits for.
  struct open_call {
    std::uint64_t client = 0;
    std::uint64_t machine = 0;
    std::size_t position = 0;  // in history_.appends, for appends
    bool append = false;
    bool waited_for = true;  // the client has not given up
    std::uint64_t from = 0;  // of reads
    std::uint64_t invoked = 0;
    std::uint64_t begun_ns = 0;
    std::optional<record_offset> expected;  // of conditional appends
  };
  /// An append as it is sent, perhaps several times.
  struct sent_append {
    std::size_t position = 0;  // in history_.appends
    actors::append_item item;  // without id and deadline
    bool numbered = false;     // of a producer
  };
  struct client {
    std::uint64_t call = 0;                 // 0: none
    std::uint64_t end = 0;                  // of the log, as far as this client knows
    std::optional<sent_append> unanswered;  // has an identity, and is to be tried again
    bool missed = false;                    // and its last attempt came to another offset
    std::uint64_t epoch = 0;                // as a producer
    std::uint64_t next_seq = 0;
  };
  /// What became of the attempts of one append.
  struct attempts {
    bool identity = false;
    std::uint64_t made = 0;
    std::uint64_t failed = 0;  // certainly
  };

  // world.cpp
  void bootstrap();
  void calm_down();
  void wait_for_agreement();
  [[nodiscard]] bool converged() const;
  void read_everything();
  void check_disks();
  void check_history();
  void check_answers();
  [[nodiscard]] std::string states() const;
  void note(std::uint64_t index, std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0,
            std::uint64_t c = 0);
  void fail(std::uint64_t index, const std::string& why);

  // world_machines.cpp
  void start(std::uint64_t index);
  void end(std::uint64_t index, testing::crash_keep keep);
  void on_machine(std::uint64_t index, std::uint64_t delay_ns, std::function<void(machine&)> what);
  void tick(std::uint64_t index);
  void set_clocks(machine& m);
  void drive_soon(std::uint64_t index);
  void drive(std::uint64_t index);
  void carry_out(std::uint64_t index, actors::replica_effects& out);
  void send_messages(std::uint64_t index, const std::vector<raft::message>& messages);
  void send_appends(std::uint64_t index, actors::replica_effects& out);
  void deliver(const packet& p);
  void disk_job(std::uint64_t index, std::function<void(machine&)> what);
  void persist(std::uint64_t index, std::shared_ptr<const raft::persist_batch> batch);
  void save_sessions(std::uint64_t index, const actors::session_checkpoint& checkpoint);
  void links_changed();
  [[nodiscard]] actors::log_store_config store_config() const;
  [[nodiscard]] result<std::unique_ptr<actors::log_store>> open_store(testing::sim_env& disk) const;
  [[nodiscard]] actors::replica_config replica_config(std::uint64_t index) const;

  // world_checks.cpp
  void check_core(std::uint64_t index);
  void check_shown(std::uint64_t index, const raft::message& m);
  void check_persisted(std::uint64_t index, const raft::persist_batch& batch);
  void check_recovered(std::uint64_t index, const raft::boot_state& boot);
  [[nodiscard]] raft::hard_state durable_state_of(const machine& m) const;

  // world_sessions.cpp
  [[nodiscard]] std::optional<raft::entry> committed_entry(std::uint64_t index,
                                                           log_index wanted) const;
  void follow_sessions(std::uint64_t index);
  void check_overlay(std::uint64_t index);
  void check_sessions();

  // world_faults.cpp
  void plan(fault_kind kind, std::uint64_t interval_ms);
  void happen(fault_kind kind);
  void crash_some(testing::crash_keep keep);
  void pause();
  void resume(std::uint64_t index);
  void partition();
  void isolate(std::uint64_t index);
  void heal_later();
  void was_elected(std::uint64_t index);
  void relay(std::uint64_t index);
  void clog();
  void sync_error();
  void disk_full();
  void hang_disk();
  void flip_bit();
  void change_members();
  void transfer();
  void trim();
  [[nodiscard]] std::uint64_t any_machine();
  [[nodiscard]] std::uint64_t leader_or_any();
  [[nodiscard]] std::optional<std::uint64_t> leader() const;

  // world_clients.cpp
  void client_soon(std::uint64_t id);
  void client_call(std::uint64_t id);
  void call_append(std::uint64_t call, open_call& open);
  [[nodiscard]] sent_append new_append(std::uint64_t id);
  void give_identity(std::uint64_t id, sent_append& append);
  void attempt(std::uint64_t call, open_call& open, const sent_append& append);
  void append_ended(std::uint64_t index, const open_call& open,
                    const actors::append_outcome& outcome);
  void append_refused(std::uint64_t index, const open_call& open,
                      const actors::append_outcome& outcome);
  void call_read(std::uint64_t call, open_call& open);
  void finish_read(std::uint64_t call, std::optional<record_offset> end);
  void client_gives_up(std::uint64_t call);
  void end_call(std::uint64_t call);
  void end_calls_of(std::uint64_t index);
  void take_outcomes(std::uint64_t index, const actors::client_outcomes& answer);
  void take_barrier(std::uint64_t index, const actors::barrier_answer& answer);
  void take_request(std::uint64_t index, const actors::request_answer& answer);
  [[nodiscard]] std::optional<std::vector<seen_record>> read_records(machine& m, record_offset from,
                                                                     record_offset end,
                                                                     std::uint64_t count_max);

  const std::uint64_t seed_;
  swarm swarm_;
  testing::sim_random random_;
  scheduler time_;
  network net_;
  trace trace_;
  truth truth_;
  std::vector<std::unique_ptr<machine>> machines_;
  std::vector<client> clients_;
  std::map<std::uint64_t, open_call> calls_;
  std::map<std::uint64_t, std::uint64_t> requests_;  // of operators, with the machine asked
  history history_;
  std::vector<attempts> attempts_;  // of history_.appends
  actors::session_table stored_;    // of everything that is committed
  bool stored_known_ = true;        // false: an entry of it was out of reach
  std::uint64_t history_time_ = 0;  // counts: what comes first has the lower number
  std::uint64_t last_value_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint64_t flips_max_ = 0;
  std::uint64_t cut_number_ = 0;
  std::uint64_t appends_ok_ = 0;
  std::uint64_t replays_ = 0;
  std::uint64_t restarts_ = 0;
  bool faults_ = true;
  std::string failure_;
};

}  // namespace cairn::sim
