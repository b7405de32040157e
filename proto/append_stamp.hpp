#pragma once
// The stamp in front of an append that has an identity: an idempotency key, or a producer's id,
// epoch and number. It is stored in the frame with the records (docs/formats/record.md), so that
// every replica learns from the log alone which appends it already holds.
//
// A payload with stamps is: stamp, its records, stamp, its records ... Every append in a frame has
// one or none has: the first byte tells. Readers of records pass over stamps (record_codec.hpp).

#include "proto/record_codec.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/checksum.hpp"
#include "storage/base/result.hpp"

#include <cstdint>
#include <string_view>

namespace cairn::proto {

/// Epochs and numbers of producers are below this: one more never overflows.
inline constexpr std::uint64_t k_sequence_limit = std::uint64_t{1} << 63;

/// Bytes of a stamp at most, its tag and length included.
inline constexpr std::size_t k_stamp_bytes_max = 64;

/// Who an append is, whichever node it comes through and however often.
struct append_identity {
  hash128 hash{};           ///< of the idempotency key, or of the producer's id
  bool producer = false;    ///< false: `epoch` and `seq` are 0
  std::uint64_t epoch = 0;  ///< below k_sequence_limit
  std::uint64_t seq = 0;    ///< of the append, below k_sequence_limit

  bool operator==(const append_identity&) const = default;
};

/// The identity of an append with the idempotency key `key`.
[[nodiscard]] append_identity identity_of_key(std::string_view key);

/// The identity of the append number `seq` of a producer. @pre both numbers < k_sequence_limit.
[[nodiscard]] append_identity identity_of_producer(std::string_view id, std::uint64_t epoch,
                                                   std::uint64_t seq);

/// A stamp as it stands in front of an append's records.
struct append_stamp {
  append_identity identity;
  std::uint32_t record_bytes = 0;  ///< of the serialized records behind the stamp, at least 1
  std::uint32_t record_count = 0;  ///< at least 1
  std::uint64_t body_hash = 0;     ///< checksum64() of these bytes: same body, same hash

  bool operator==(const append_stamp&) const = default;
};

/// The stamp of `records` under `identity`, and behind it a copy of their bytes.
/// @pre `records` is not empty and has no stamp.
[[nodiscard]] shared_bytes encode_append_stamp(const append_identity& identity,
                                               const encoded_records& records);

/// Whether the appends of a frame's (or an append's) payload have stamps. Looks at one byte.
[[nodiscard]] bool is_stamped(byte_span payload);

/// Takes the next stamp and the records behind it from the front of `rest`, which is what
/// is_stamped payloads are walked with until `rest` is empty. The records themselves are not looked
/// at. corruption when there is no valid stamp or its records end after `rest`; `rest` is then as
/// it was. Fields that this version does not know are passed over.
[[nodiscard]] result<append_stamp> next_stamp(byte_span& rest);

/// Checks the stamp of one append that came from outside: exactly one, with `record_count` records
/// behind it. corruption.
[[nodiscard]] status check_single_stamp(byte_span payload, std::uint32_t record_count);

}  // namespace cairn::proto
