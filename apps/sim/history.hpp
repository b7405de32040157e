#pragma once
// What clients of one log asked for and what they were told: the input of the history checker.
//
// Every record carries a value that no other record ever has. Times are of one clock; a call begins
// after `invoked` and has ended before `responded`.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace cairn::sim {

/// The end of a call that nobody has seen end.
inline constexpr std::uint64_t k_never = std::numeric_limits<std::uint64_t>::max();

/// What the client knows of its append.
enum class append_fate : std::uint8_t {
  ok,       ///< acknowledged at `base`
  failed,   ///< certainly not done, now or later
  unknown,  ///< done at any time after `invoked`, or never
};

/// One append of one record or of several that are stored together or not at all.
struct append_call {
  std::uint64_t invoked = 0;
  std::uint64_t responded = k_never;  ///< looked at when the fate is ok
  append_fate fate = append_fate::unknown;
  std::vector<std::uint64_t> values;
  std::uint64_t base = 0;  ///< offset of the first record; when ok
};

struct seen_record {
  std::uint64_t offset = 0;
  std::uint64_t value = 0;
  bool operator==(const seen_record&) const = default;
};

/// One read that has succeeded. Failed reads say nothing.
struct read_call {
  std::uint64_t invoked = 0;
  std::uint64_t responded = 0;
  std::uint64_t from = 0;
  std::vector<seen_record> records;  ///< promised to be from, from + 1, ...
  /// The length of the log that came with the answer: exactly that at some moment between the two
  /// times (linearizable), or at some moment before `responded` (not).
  std::optional<std::uint64_t> end;
  bool linearizable = false;
  /// A complete read of one node at the very end, when nothing else goes on.
  bool final = false;
  std::string where;  ///< whom was asked, for messages
};

struct history {
  std::vector<append_call> appends;
  std::vector<read_call> reads;
};

}  // namespace cairn::sim
