#pragma once
// Drives a raft::core with what a flight recorder has written down, and compares what it does with
// what it did.

#include "actors/raft/core.hpp"
#include "actors/recorder/dump.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace cairn::actors {

/// An input, or a take_ready(), and what the core made of it.
struct replay_step {
  std::uint64_t number = 0;  ///< from 1, over the whole dump
  std::int64_t unix_us = 0;
  std::uint64_t since_last_us = 0;
  bool after_gap = false;  ///< inputs are missing before this one
  const recorded_step* recorded = nullptr;
  raft::core_status before;
  raft::core_status after;
  std::optional<raft::ready> out;  ///< of a take_ready()
  /// Why this is not what the core did then; empty: it is.
  std::string mismatch;
  /// The core had not returned from this when the dump was written.
  bool unfinished = false;
};

/// Owner: one thread. A check of the core that fails ends the process here as it did there.
class replay {
public:
  /// `dump` is one that decode_dump() gave, and outlives the replay.
  explicit replay(const recorder_dump& dump);

  /// What comes next, to be carried out by step(). Null: the end.
  [[nodiscard]] const recorded_step* next();
  /// Its number.
  [[nodiscard]] std::uint64_t next_number() const { return number_ + 1; }
  /// Carries it out. @pre next() is not null.
  [[nodiscard]] replay_step step();

  /// As it is now.
  [[nodiscard]] const raft::core& core() const { return *core_; }
  /// Inputs and takes of the whole dump.
  [[nodiscard]] std::uint64_t step_count() const { return step_count_; }

private:
  /// Gives what the core drew then.
  class script : public raft::random_source {
  public:
    std::uint64_t next() override;
    std::deque<std::uint64_t> numbers;
    bool missed = false;
  };

  void load_chunk();

  const recorder_dump& dump_;
  script random_;
  std::unique_ptr<raft::core> core_;
  std::size_t chunk_ = 0;
  std::size_t at_ = 0;  // in the chunk
  std::uint64_t number_ = 0;
  std::uint64_t step_count_ = 0;
  std::uint64_t last_us_ = 0;
  bool after_gap_ = false;
  std::string image_mismatch_;
};

/// Goes through the whole dump. @returns what the first mismatch is about, with its number; empty:
/// there is none.
[[nodiscard]] std::string first_mismatch(const recorder_dump& dump);

}  // namespace cairn::actors
