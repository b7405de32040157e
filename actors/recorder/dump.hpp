#pragma once
// A dump of a flight recorder as bytes and back: docs/formats/recorder.md. Pure: the driver writes
// and reads the file.

#include "actors/raft/core.hpp"
#include "actors/recorder/flight_recorder.hpp"
#include "storage/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn::actors {

/// Kinds of what stands in a chunk behind its image. The numbers are the format's.
enum class recorded_kind : std::uint8_t { input = 1, take = 2, drawn = 3, done = 4 };

/// A chunk as it lies in the ring.
struct raw_chunk {
  std::uint64_t sequence = 0;
  std::vector<std::byte> bytes;
};

struct dump_head {
  recorder_identity identity;
  std::string reason;  ///< why it was written
  unix_ms written_ms = 0;
};

/// One thing that happened to the core, as it was recorded.
struct recorded_step {
  std::uint64_t at_us = 0;           ///< monotonic
  std::optional<raft::input> in;     ///< nothing: take_ready()
  std::vector<std::uint64_t> draws;  ///< random numbers that the core took
  /// What became of it. Nothing: the core never returned, or the recording ends here.
  std::optional<std::uint32_t> fingerprint;
};

struct dump_chunk {
  std::uint64_t sequence = 0;
  bool continues = false;  ///< nothing is missing between the chunk before and this one
  std::uint64_t began_us = 0;
  unix_ms began_ms = 0;
  std::vector<std::byte> image;  ///< core::save()
  std::vector<recorded_step> steps;
};

struct recorder_dump {
  dump_head head;
  std::vector<dump_chunk> chunks;  ///< ascending; one at least
};

/// The whole file.
[[nodiscard]] std::vector<std::byte> encode_dump(const dump_head& head,
                                                 const std::vector<raw_chunk>& chunks);

/// Reads a whole file, checks all of it, and takes from it nothing that no recorder writes.
/// unsupported: of another version. corruption: anything else that is wrong; the detail says what
/// and at which byte.
[[nodiscard]] result<recorder_dump> decode_dump(byte_span file);

/// Likewise one chunk as it lies in the ring, for tests. Nothing: it is not one; `where` says which
/// byte.
[[nodiscard]] std::optional<dump_chunk> decode_chunk(const raft::core_config& config,
                                                     const raw_chunk& raw, std::size_t& where);

}  // namespace cairn::actors
