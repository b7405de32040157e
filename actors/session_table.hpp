#pragma once
// Which appends the log holds already: the state behind Idempotency-Key and Cairn-Producer-*.
//
// A function of the stamps in the committed prefix of the log (proto/append_stamp.hpp), hence the
// same on every replica, whoever leads. No clock: time is what the entries say. Everything is
// bounded: the newest keys, by number and by age, and the producers that were used last. What the
// bounds push out is forgotten, and an append under such a name is a new one.
//
// It knows nothing of what is not committed; that is session_overlay's.

#include "proto/append_stamp.hpp"
#include "storage/base/bytes.hpp"
#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/base/units.hpp"

#include <cstdint>
#include <deque>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

namespace cairn::actors {

/// The same on all replicas of all versions that run together, except in tests.
struct session_limits {
  std::size_t keys_max = 65'536;
  unix_ms key_age_ms_max = 86'400'000;  ///< of the log's time: its entries' timestamps
  std::size_t producers_max = 4'096;
  std::size_t receipts_max = 5;  ///< of each producer
};

/// What session_table::serialize() never exceeds.
inline constexpr std::uint64_t k_session_bytes_max = 8 * k_mib_bytes;

/// What the first answer to an append said, and which body it was for.
struct session_receipt {
  std::uint64_t body_hash = 0;
  record_offset offset;  ///< of its first record
  std::uint32_t count = 0;
  unix_ms timestamp_ms = 0;
  term_id term;
  log_index index;

  bool operator==(const session_receipt&) const = default;
};

/// An append with an identity, where it stands in the log.
struct stamped_append {
  proto::append_identity identity;
  session_receipt receipt;

  bool operator==(const stamped_append&) const = default;
};

/// Where an entry stands, for stamps_of().
struct entry_place {
  log_index index;
  term_id term;
  record_offset base_offset;
  unix_ms timestamp_ms = 0;
  std::uint32_t record_count = 0;
};

/// The stamped appends of a data entry, in order; none of most entries, which costs one comparison.
/// None as well if the stamps do not fit the entry: every replica comes to the same conclusion.
[[nodiscard]] std::vector<stamped_append> stamps_of(const entry_place& at, byte_span payload);

/// Owner: one thread.
class session_table {
public:
  struct producer {
    hash128 id{};
    std::uint64_t epoch = 0;
    std::uint64_t last_seq = 0;

    struct numbered {
      std::uint64_t seq = 0;
      session_receipt receipt;
      bool operator==(const numbered&) const = default;
    };
    std::vector<numbered> receipts;  ///< ascending, the last ones

    bool operator==(const producer&) const = default;
    /// Null: not remembered, or never stored.
    [[nodiscard]] const session_receipt* find(std::uint64_t seq) const;
  };

  session_table() : session_table(session_limits{}) {}
  explicit session_table(const session_limits& limits);
  session_table(session_table&&) = default;
  session_table& operator=(session_table&&) = default;

  /// All entries up to here are in the table, or forgotten.
  [[nodiscard]] log_index applied() const { return applied_; }
  /// The entry at `index` is committed, and `appends` are its stamps. Nothing happens if it has
  /// been applied: a state may be newer than what a log begins with. Entries without stamps need
  /// not be told one by one.
  void apply(log_index index, std::span<const stamped_append> appends);
  /// Every entry up to `index` has been applied, or has no stamps.
  void advance(log_index index);

  /// The receipt of a key. `log_time_ms` is the timestamp of the newest entry: a key that would be
  /// too old for an entry of that time is forgotten already. Null: unknown.
  [[nodiscard]] const session_receipt* find_key(const hash128& key, unix_ms log_time_ms) const;
  [[nodiscard]] const producer* find_producer(const hash128& id) const;

  [[nodiscard]] std::size_t key_count() const { return keys_.size(); }
  [[nodiscard]] std::size_t producer_count() const { return producers_.size(); }

  /// The whole table (docs/formats/sessions.md). Equal tables give equal bytes.
  [[nodiscard]] shared_bytes serialize() const;
  /// corruption: not what serialize() made, or beyond `limits`; the detail says what is wrong.
  [[nodiscard]] static result<session_table> parse(byte_span bytes,
                                                   const session_limits& limits = {});

private:
  struct key_entry {
    hash128 key;
    session_receipt receipt;
  };
  struct hash_of {
    std::size_t operator()(const hash128& h) const { return load_le<std::size_t>(h.data()); }
  };
  using producer_list = std::list<producer>;

  void apply_key(const stamped_append& append);
  void apply_producer(const stamped_append& append);
  void forget_older(unix_ms log_time_ms);
  void forget_first_key();
  void add_key(const key_entry& entry);

  session_limits limits_;
  log_index applied_;
  std::deque<key_entry> keys_;   // in the order of the log
  std::uint64_t forgotten_ = 0;  // keys that have left keys_ at its front
  std::unordered_map<hash128, std::uint64_t, hash_of> key_numbers_;  // counts from the first key
  producer_list producers_;  // the one that was used last is last
  std::unordered_map<hash128, producer_list::iterator, hash_of> by_id_;
};

}  // namespace cairn::actors
