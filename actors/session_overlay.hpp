#pragma once
// The identities of what is in the log and not known to be committed, and the judgement of an
// append by them and by what is committed. Pure, like session_table.

#include "actors/session_table.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

namespace cairn::actors {

/// Follows the end of the log: whoever appends and truncates there does it here as well.
/// Owner: one thread.
class session_overlay {
public:
  struct entry {
    log_index index;
    std::vector<stamped_append> appends;  ///< not empty
    bool operator==(const entry&) const = default;
  };

  /// @pre `index` is beyond those before it. Entries without stamps need not be told.
  void append(log_index index, std::vector<stamped_append> appends);
  /// The entries from `first_removed` on have gone.
  void truncate_from(log_index first_removed);
  void clear();
  /// Everything up to `commit` is committed: moves it into `table`.
  /// @returns whether there was anything.
  bool settle(log_index commit, session_table& table);

  /// An append of this key is under way.
  [[nodiscard]] bool has_key(const hash128& key) const { return keys_.contains(key); }
  struct place {
    std::uint64_t epoch = 0;
    std::uint64_t seq = 0;
    auto operator<=>(const place&) const = default;
  };
  /// Of the appends under way of this producer the last one. Nothing: none.
  [[nodiscard]] std::optional<place> last_of(const hash128& producer) const;
  [[nodiscard]] bool has(const hash128& producer, const place& at) const;

  [[nodiscard]] const std::deque<entry>& entries() const { return entries_; }
  [[nodiscard]] bool empty() const { return entries_.empty(); }

private:
  struct hash_of {
    std::size_t operator()(const hash128& h) const { return load_le<std::size_t>(h.data()); }
  };

  void forget(const stamped_append& append, bool first);

  std::deque<entry> entries_;
  std::unordered_map<hash128, std::uint32_t, hash_of> keys_;  // with how many times it is there
  std::unordered_map<hash128, std::deque<place>, hash_of> producers_;  // in the order of the log
};

enum class session_verdict : std::uint8_t {
  append,  ///< it is the next one: store it
  replay,  ///< it is stored already: answer with the first receipt
  /// The same append, or one that decides about it, is under way: judge again once that is
  /// committed or gone.
  wait,
  key_reused,        ///< another body is stored under this key or number
  sequence_gap,      ///< an append before this one is missing
  producer_fenced,   ///< a newer epoch has begun
  sequence_too_old,  ///< it is stored, or was, but its receipt is forgotten
};

struct session_judgement {
  session_verdict verdict = session_verdict::append;
  const session_receipt* receipt = nullptr;  ///< of replay; the table's
  std::uint64_t expected_seq = 0;            ///< of sequence_gap, sequence_too_old
  bool same_under_way = false;               ///< of wait: it is this very append that is
};

/// What to do with an append of this stamp, if it came behind everything in `pending`.
/// `log_time_ms`: timestamp of the newest entry. What is said by `pending` alone is only ever
/// append, wait or sequence_gap: it may still go.
[[nodiscard]] session_judgement judge(const session_table& committed,
                                      const session_overlay& pending,
                                      const proto::append_stamp& stamp, unix_ms log_time_ms);

}  // namespace cairn::actors
