#include "actors/replica_sessions.hpp"

#include "storage/base/check.hpp"
#include "storage/base/planted_bug.hpp"

#include <algorithm>
#include <utility>

namespace cairn::actors {
namespace {

/// A full disk is tried again after so long.
constexpr std::uint32_t k_pause_ticks = 20;

}  // namespace

bool has_stamps(const raft::entry& e) {
  return proto::is_stamped(e.payload.span()) && e.kind == raft::entry_kind::data && e.codec == 0;
}

std::vector<stamped_append> stamps_in(const raft::entry& e) {
  if (!has_stamps(e)) return {};
  return stamps_of({e.index, e.term, e.base_offset, e.timestamp_ms, e.record_count},
                   e.payload.span());
}

replica_sessions::replica_sessions(session_boot boot, log_index last, unix_ms log_time_ms)
    : table_(std::move(boot.table)),
      pending_(std::move(boot.pending)),
      end_(last),
      log_time_ms_(log_time_ms),
      saved_(boot.saved),
      unsaved_bytes_(boot.unsaved_bytes),
      stamps_unsaved_(!pending_.empty() || table_.applied() > saved_) {}

// --- what happens to the log ---------------------------------------------------------------------

void replica_sessions::given_out(const raft::persist_batch& batch) {
  if (batch.install) install(*batch.install);
  if (batch.truncate_from) {
    pending_.truncate_from(*batch.truncate_from);
    end_ = std::min(end_, raft::prior(*batch.truncate_from));
  }
  for (const raft::entry& e : batch.entries)
    append(e);
}

void replica_sessions::append(const raft::entry& e) {
  end_ = e.index;
  log_time_ms_ = std::max(log_time_ms_, e.timestamp_ms);
  unsaved_bytes_ += e.size_bytes();
  // A snapshot's state may be newer than the log that it begins.
  if (!has_stamps(e) || e.index <= table_.applied()) return;
  auto appends = stamps_in(e);
  stamps_unsaved_ = true;
  if (planted(54)) return table_.apply(e.index, appends);
  pending_.append(e.index, std::move(appends));
}

void replica_sessions::install(const raft::snapshot& content) {
  pending_.clear();
  end_ = content.last.index;
  session_table installed;
  if (!content.state.empty()) {
    auto parsed = session_table::parse(content.state.span());
    CAIRN_CHECK(parsed.ok(), "a snapshot's state was accepted and is damaged");
    installed = std::move(*parsed);
  }
  installed.advance(content.last.index);
  if (installed.applied() > table_.applied()) table_ = std::move(installed);
  stamps_unsaved_ = true;
}

bool replica_sessions::settle(log_index visible) {
  if (visible <= table_.applied()) return false;
  CAIRN_CHECK(visible <= end_, "entry {} is durable, and {} is the last that was written",
              visible.value(), end_.value());
  return pending_.settle(visible, table_);
}

void replica_sessions::elected() {
  if (!planted(53)) return;
  table_ = session_table{};
  pending_.clear();
}

// --- judgement -----------------------------------------------------------------------------------

session_judgement replica_sessions::judge(const proto::append_stamp& stamp) const {
  return actors::judge(table_, pending_, stamp, log_time_ms_);
}

void replica_sessions::expect(const proto::append_stamp& stamp) {
  expected_ = std::max(end_, expected_).next();
  pending_.append(expected_, {{stamp.identity, {}}});
}

void replica_sessions::end_expectations() {
  if (expected_ > end_) pending_.truncate_from(end_.next());
  expected_ = {};
}

// --- keeping it ----------------------------------------------------------------------------------

bool replica_sessions::acceptable(const shared_bytes& state) {
  return state.empty() || session_table::parse(state.span()).ok();
}

std::optional<session_checkpoint> replica_sessions::take_checkpoint(std::uint64_t due_bytes,
                                                                    std::uint64_t idle_bytes) {
  if (saving_ || pause_ticks_ > 0 || table_.applied() <= saved_) return std::nullopt;
  if (!wanted_ && unsaved_bytes_ < (stamps_unsaved_ ? due_bytes : idle_bytes)) return std::nullopt;
  wanted_ = false;
  // What is not committed yet stays unsaved.
  saving_ = saving{table_.applied(), std::exchange(unsaved_bytes_, 0),
                   std::exchange(stamps_unsaved_, !pending_.empty())};
  return session_checkpoint{table_.applied(), table_.serialize()};
}

void replica_sessions::checkpointed(bool done) {
  if (!saving_) return;
  if (done) {
    saved_ = saving_->index;
    ++counts_.checkpoints;
  } else {
    unsaved_bytes_ += saving_->unsaved_bytes;
    stamps_unsaved_ = stamps_unsaved_ || saving_->stamps_unsaved;
    pause_ticks_ = k_pause_ticks;
  }
  saving_.reset();
}

void replica_sessions::tick() {
  if (pause_ticks_ > 0) --pause_ticks_;
}

std::optional<session_checkpoint> replica_sessions::last_checkpoint() const {
  const log_index covered = saving_ ? saving_->index : saved_;
  if (table_.applied() <= covered) return std::nullopt;
  return session_checkpoint{table_.applied(), table_.serialize()};
}

session_counts replica_sessions::counts() const {
  session_counts counts = counts_;
  counts.keys = table_.key_count();
  counts.producers = table_.producer_count();
  counts.under_way = pending_.entries().size();
  return counts;
}

}  // namespace cairn::actors
