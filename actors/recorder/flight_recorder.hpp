#pragma once
// The flight recorder: a ring of all that went into a raft::core, so that the same core can be
// driven with it again, offline and step by step (replay.hpp).
//
// The ring is four chunks. Each begins with the core's whole state at that moment and goes on with
// inputs, random numbers, and a fingerprint of what the core made of each; a full chunk is followed
// by the oldest one, written anew, but never by the one in which role, term or leader have changed
// last: a loaded leader fills the ring in half a minute, and it is the last election that one asks
// for. So at least half of the ring are history, whatever was lost before. Payloads of clients are
// never kept, only their sizes: nothing that the core decides depends on them. Layout:
// docs/formats/recorder.md.
//
// A recorder allocates its ring at the start and nothing afterwards, but a short list of runs for
// each image of the state.

#include "actors/raft/core.hpp"
#include "storage/base/bytes.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cairn::actors {

/// Whose recording it is, and what its core was told at its start.
struct recorder_identity {
  std::string node;
  std::string cluster_id;
  std::string log;
  std::string version;  ///< of the program
  raft::core_config core;
  std::uint64_t tick_ns = 0;
};

struct recorder_counts {
  std::uint64_t inputs = 0;  ///< since the start
  std::uint64_t missed = 0;  ///< inputs that did not fit, up to the next image
  std::uint64_t images = 0;
};

struct recorder_extent {
  std::uint64_t inputs = 0;
  unix_ms first_ms = 0;  ///< 0: there is nothing
};

/// Owner: the thread that drives the core, for all but dump(), extent() and identity().
class flight_recorder {
public:
  static constexpr std::size_t k_chunks = 4;
  /// A smaller ring could not hold an image of the state and something after it.
  static constexpr std::uint64_t k_ring_bytes_min = 4 * 1024;

  /// @pre `ring_bytes` is k_ring_bytes_min or more.
  flight_recorder(std::uint64_t ring_bytes, recorder_identity identity);

  /// Holds for what follows. `monotonic_ns` never goes back.
  void set_time(std::uint64_t monotonic_ns, unix_ms wall_ms) {
    monotonic_us_ = monotonic_ns / 1000;
    wall_ms_ = wall_ms;
  }

  // Around every call of the core (recorded_core.hpp).

  /// The core is about to get `in`.
  void input(const raft::input& in);
  /// take_ready() is about to be called.
  void taking();
  /// The core has drawn a random number.
  void drawn(std::uint64_t number);
  /// The core has returned, and this is what became of it.
  void done(std::uint32_t fingerprint);
  /// Nothing waits for take_ready(): here a chunk may end, or begin.
  void settled(const raft::core& core);

  [[nodiscard]] recorder_counts counts() const { return counts_; }

  /// The dump: all that is there, oldest first. From any thread, also one that is about to end the
  /// process: takes no lock and waits for nobody. On the owner's thread it is complete, up to the
  /// call that is under way; on another one, up to a moment during this call, and without the chunk
  /// that is being begun, if one is. `reason` is for people.
  [[nodiscard]] std::vector<std::byte> dump(const std::string& reason, unix_ms now_ms) const;
  /// What a dump would hold now. Any thread.
  [[nodiscard]] recorder_extent extent() const;
  [[nodiscard]] const recorder_identity& identity() const { return identity_; }

private:
  struct chunk {
    std::unique_ptr<std::byte[]> bytes;
    std::atomic<bool> beginning{false};  // is being written anew: not to be looked at
    std::atomic<std::uint64_t> used{0};  // complete events end here
    std::atomic<std::uint64_t> sequence{0};
    std::atomic<std::uint64_t> inputs{0};
    std::atomic<unix_ms> began_ms{0};
  };

  template <class Write>
  void write(const Write& event);
  [[nodiscard]] std::uint64_t passed_us();
  void begin_chunk(const raft::core& core);

  const recorder_identity identity_;
  const std::uint64_t chunk_bytes_;
  std::array<chunk, k_chunks> chunks_;
  mutable std::atomic<std::uint32_t> copying_{0};  // calls of dump(): no chunk begins meanwhile
  std::size_t current_ = k_chunks - 1;
  std::size_t kept_ = k_chunks;  // the chunk with the last change of lead_; k_chunks: none
  raft::leadership lead_;
  std::uint64_t sequence_ = 0;
  bool blind_ = true;  // nothing is kept before the next image
  std::uint32_t pause_ = 0;
  std::uint64_t monotonic_us_ = 0;
  unix_ms wall_ms_ = 0;
  std::uint64_t last_us_ = 0;
  recorder_counts counts_;
};

}  // namespace cairn::actors
