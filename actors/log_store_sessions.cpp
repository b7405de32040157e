// What a log's directory keeps about appends with an identity: the file "sessions", and how far the
// log may be trimmed by what it says. docs/formats/sessions.md.

#include "actors/log_store.hpp"
#include "storage/base/log_line.hpp"
#include "storage/paths.hpp"
#include "storage/whole_file.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

constexpr std::string_view k_sessions_name = "sessions";
/// Of entries in memory while the log is read at the start.
constexpr std::uint64_t k_read_bytes = 4 * k_mib_bytes;

result<session_table> parse(const shared_bytes& bytes, const std::string& where) {
  auto table = session_table::parse(bytes.span());
  if (table) return table;
  return error{table.code(), fmt::format("{}: {}", where, table.error().detail)};
}

}  // namespace

std::string log_store::sessions_path() const {
  return storage::join_path(config_.directory, k_sessions_name);
}

// The newer one of the file and of what came with a snapshot.
result<session_table> log_store::stored_sessions(log_index& saved) {
  const auto start = log_->start();
  session_table table;
  if (!start.state.empty()) {
    auto given =
        parse(start.state, config_.directory + ": the snapshot that the log begins behind");
    if (!given) return given.error();
    table = std::move(*given);
  }
  const auto bytes = storage::read_whole_file(env_, sessions_path(), k_session_bytes_max);
  const bool damaged = bytes.code() == errc::corruption;
  if (!bytes && bytes.code() != errc::not_found && !damaged) return bytes.error();
  if (!bytes && !damaged) return table;
  auto kept = bytes ? parse(*bytes, sessions_path()) : result<session_table>(bytes.error());
  if (!kept) {
    // The log, or it and the snapshot, say the same, as long as nothing of it has gone.
    if (start.index != log_index(0) && start.state.empty()) return kept.error();
    log_warning(log_component::storage)
        .field("log", config_.name)
        .say(
            "what was saved of idempotency keys and producers cannot be used: {}. It is made anew "
            "from the log, which takes a moment and loses nothing.",
            kept.error().detail);
    return table;
  }
  saved = kept->applied();
  if (saved >= table.applied()) table = std::move(*kept);
  return table;
}

result<session_boot> log_store::load_sessions() {
  session_boot boot;
  auto table = stored_sessions(boot.saved);
  if (!table) return table.error();
  boot.table = std::move(*table);
  if (boot.table.applied() > boot.saved) {
    note_unsaved(log_->start().index.next(), boot.table.applied());
  }
  const log_index end = log_->next_index();
  log_index next = std::max(boot.table.applied().next(), log_->first_index());
  while (next < end) {
    const auto entries = load(next, end, k_read_bytes);
    if (!entries) return entries.error();
    if (entries->empty()) {
      return error{errc::corruption, fmt::format("{}: entry {} of {} is not there",
                                                 config_.directory, next.value(), end.value())};
    }
    for (const raft::entry& e : *entries) {
      boot.unsaved_bytes += e.size_bytes();
      boot.pending.append(e.index, stamps_in(e));
      if (has_stamps(e)) note_unsaved(e.index, e.index);
    }
    next = entries->back().index.next();
  }
  return boot;
}

status log_store::save_sessions(const session_checkpoint& checkpoint) {
  if (fenced()) return error{errc::io_error, fence_reason_};
  CAIRN_CHECK(checkpoint.state.size() <= k_session_bytes_max, "a state of {} bytes",
              checkpoint.state.size());
  auto saved = storage::replace_whole_file(env_, sessions_path(), checkpoint.state.span());
  if (saved.code() == errc::disk_full) return saved;
  if (!saved) return fence("save of the sessions", saved.error());
  if (last_unsaved_ <= checkpoint.index) {
    first_unsaved_.reset();
  } else {
    first_unsaved_ = checkpoint.index.next();
  }
  hold_unsaved();
  return {};
}

void log_store::note_unsaved(log_index first, log_index last) {
  last_unsaved_ = std::max(last_unsaved_, last);
  if (first_unsaved_) return;
  first_unsaved_ = first;
  hold_unsaved();
}

void log_store::hold_unsaved() {
  log_->hold_from(first_unsaved_.value_or(log_index(0xffff'ffff'ffff'ffff)));
}

bool log_store::take_sessions_wanted() {
  return log_->take_held_back();
}

}  // namespace cairn::actors
