#pragma once
// Judges questions before anybody acts on them, and makes answers fit. Pure.

#include "actors/inspect/inspect_messages.hpp"
#include "proto/cairn/v1/inspect.pb.h"
#include "storage/base/result.hpp"
#include "storage/base/units.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cairn::actors {

/// A question's head may be as large as this between nodes.
inline constexpr std::size_t k_inspect_question_bytes_max = 4 * k_kib_bytes;
/// An answer's head between nodes. Lists are cut to fit, and say that they were.
inline constexpr std::size_t k_inspect_answer_bytes_max = 2 * k_mib_bytes;
/// Likewise within a node.
inline constexpr std::size_t k_inspect_local_bytes_max = 16 * k_mib_bytes;
/// Larger answers go on the bulk lane.
inline constexpr std::size_t k_inspect_control_bytes_max = 64 * k_kib_bytes;

inline constexpr std::size_t k_inspect_name_bytes_max = 128;  ///< nodes, logs
inline constexpr std::uint32_t k_inspect_deadline_ms_default = 5'000;
inline constexpr std::uint32_t k_inspect_deadline_ms_max = 120'000;
inline constexpr std::uint32_t k_inspect_wait_ms_max = 60'000;
inline constexpr std::uint32_t k_inspect_events_max = 10'000;  ///< `limit`
inline constexpr std::size_t k_inspect_pattern_bytes_max = 256;
inline constexpr std::size_t k_inspect_word_bytes_max = 64;  ///< component, level

/// Fills in what the asker left open (deadline) and makes the wait for events end before it.
/// invalid_argument naming the field for what is out of range, or when nothing is asked.
[[nodiscard]] status check_question(v1::InspectRequest& question);

/// From an envelope's head. invalid_argument: too large, no Protobuf, or as check_question().
[[nodiscard]] result<v1::InspectRequest> decode_question(const shared_bytes& head);

/// An answer from an envelope's head. invalid_argument: too large, or no Protobuf. Numbers and
/// texts in it are as they came: for people, nothing follows from them.
[[nodiscard]] result<v1::InspectAnswer> decode_answer(const shared_bytes& head);

/// An answer that says why not.
[[nodiscard]] v1::InspectAnswer refused_answer(errc code, std::string detail);

/// Takes elements off the lists in `answer` until it takes at most `bytes_max`, and counts them in
/// its `more`. Actors, families and segments are cut at the end (of segments the oldest go, they
/// are what is least asked about), events too, and `next` says where to go on.
void cut_to_fit(v1::InspectAnswer& answer, std::size_t bytes_max);

}  // namespace cairn::actors
