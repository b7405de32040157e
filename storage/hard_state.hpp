#pragma once
// What a replica must not forget between two answers (Raft dissertation, figure 3.1, "persistent
// state"), beside the log itself. Kept in two alternating checksummed slots,
// docs/formats/hard_state.md.

#include "storage/base/ids.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"

#include <memory>
#include <string>

namespace cairn::storage {

class slot_file;

struct hard_state {
  term_id term;
  std::string voted_for;  ///< node id, at most 128 bytes; empty: nobody in this term

  bool operator==(const hard_state&) const = default;
};

/// Owner: one thread.
class hard_state_file {
public:
  /// Opens or makes `path`. A fresh file holds a default hard_state. corruption when neither slot
  /// is intact although the file has been written: starting with a forgotten vote could elect two
  /// leaders.
  [[nodiscard]] static result<hard_state_file> open(env& env, const std::string& path);

  hard_state_file(hard_state_file&&) noexcept;
  hard_state_file& operator=(hard_state_file&&) noexcept;
  ~hard_state_file();

  [[nodiscard]] const hard_state& current() const { return current_; }

  /// Replaces the state; durable on return. Terms never go back (checked). io_error: fence, the old
  /// or the new state may be on disk.
  [[nodiscard]] status save(const hard_state& state);

private:
  hard_state_file(std::unique_ptr<slot_file> slots, hard_state state);
  std::unique_ptr<slot_file> slots_;
  hard_state current_;
};

}  // namespace cairn::storage
