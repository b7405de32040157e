#pragma once
// What has to be written, what is being written, and what is durable.
//
// One batch is out at a time. A truncation while it is out takes back the part of it that no longer
// describes the log: when it comes back as done, only the rest counts. Neither the index nor even
// (index, term) of what was written would be enough to decide that, since the same entries may have
// been truncated and put back meanwhile, and the next write will remove them once more.

#include "actors/raft/archive.hpp"
#include "actors/raft/log_view.hpp"
#include "actors/raft/ready.hpp"

#include <optional>

namespace cairn::raft {

class persist_queue {
public:
  /// Everything up to `last` is durable.
  explicit persist_queue(log_index last) : durable_(last), handed_(last) {}

  /// The log in memory up to here is on disk. Never above the log's end.
  [[nodiscard]] log_index durable() const { return durable_; }
  /// The last entry that is on disk or being written.
  [[nodiscard]] log_index handed() const { return handed_; }
  [[nodiscard]] bool in_flight() const { return flight_.has_value(); }
  /// The newest batch that is durable.
  [[nodiscard]] persist_ticket done() const { return done_; }

  void state_changed(hard_state state) { state_ = state; }
  /// The log in memory now ends before `first_removed`.
  void truncated(log_index first_removed);
  /// The log in memory is now empty, after `content.last`.
  void replaced(snapshot content);

  /// The batch to wait for until the hard state and the log up to `index` are durable; ticket 0 if
  /// they are.
  [[nodiscard]] persist_ticket covering(log_index index) const;
  /// Likewise for the hard state alone.
  [[nodiscard]] persist_ticket covering_state() const;

  /// The next batch, if none is out and there is something to write.
  [[nodiscard]] std::optional<persist_batch> issue(const log_view& log);
  /// @returns false if no batch with this ticket is out (a late or repeated answer).
  [[nodiscard]] bool finish(persist_ticket ticket);

  template <class Archive, class Self>
  static void fields(Archive& archive, Self& x) {
    pass(archive, x.durable_, x.handed_, x.last_ticket_, x.done_, x.flight_, x.state_,
         x.truncate_from_, x.install_);
  }

private:
  struct flight {
    persist_ticket ticket;
    log_index valid_to;  // what the batch makes durable of the log as it is now
    bool with_state = false;

    template <class Archive, class Self>
    static void fields(Archive& archive, Self& x) {
      pass(archive, x.ticket, x.valid_to, x.with_state);
    }
  };

  [[nodiscard]] persist_ticket next_ticket() const { return last_ticket_.next(); }

  // Invariants: durable_ <= handed_; with a flight, valid_to <= handed_.
  log_index durable_;
  log_index handed_;
  persist_ticket last_ticket_;
  persist_ticket done_;
  std::optional<flight> flight_;
  std::optional<hard_state> state_;
  std::optional<log_index> truncate_from_;
  std::optional<snapshot> install_;
};

}  // namespace cairn::raft
