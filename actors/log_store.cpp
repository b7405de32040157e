#include "actors/log_store.hpp"

#include "storage/base/log_line.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace cairn::actors {

namespace {

constexpr term_id k_first_term{1};

result<raft::configuration> decode(const shared_bytes& payload, log_index index,
                                   const std::string& directory) {
  auto config = raft::decode_configuration(payload);
  if (config) return config;
  return error{errc::corruption, fmt::format("{}: the configuration of entry {}: {}", directory,
                                             index.value(), config.error().detail)};
}

}  // namespace

std::string vote_text(raft::node_id vote) {
  return vote == raft::k_nobody ? "" : fmt::format("#{}", vote.value());
}

std::optional<raft::node_id> parse_vote(const std::string& text) {
  if (text.empty()) return raft::k_nobody;
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  if (text[0] != '#') return std::nullopt;
  const auto [stopped, failure] = std::from_chars(text.data() + 1, end, number);
  if (failure != std::errc{} || stopped != end || number == 0) return std::nullopt;
  return raft::node_id(number);
}

// --- opening -------------------------------------------------------------------------------------

result<std::unique_ptr<log_store>> log_store::open(storage::env& env, log_store_config config,
                                                   std::shared_ptr<log_gate> gate,
                                                   std::shared_ptr<log_observer> observer,
                                                   storage::recovery_report& report) {
  if (auto made = env.make_directories(config.directory); !made) return made.error();
  auto hard_state = storage::hard_state_file::open(env, config.directory + "/hard_state");
  if (!hard_state) return hard_state.error();
  config.log.publish_on_open = false;
  auto log = storage::segmented_log::open(env, config.directory, config.log, report);
  if (!log) return log.error();
  if ((*log)->last_term() > hard_state->current().term) {
    return error{errc::corruption,
                 fmt::format("{}/hard_state: term {} is lower than the term {} of the last frame",
                             config.directory, hard_state->current().term.value(),
                             (*log)->last_term().value())};
  }
  return std::unique_ptr<log_store>(new log_store(env, std::move(config), std::move(gate),
                                                  std::move(observer), std::move(*hard_state),
                                                  std::move(*log)));
}

log_store::log_store(storage::env& env, log_store_config config, std::shared_ptr<log_gate> gate,
                     std::shared_ptr<log_observer> observer, storage::hard_state_file hard_state,
                     std::unique_ptr<storage::segmented_log> log)
    : env_(env),
      config_(std::move(config)),
      gate_(std::move(gate)),
      observer_(std::move(observer)),
      hard_state_(std::move(hard_state)),
      log_(std::move(log)),
      reader_(log_->reader()) {
  gate_->size_bytes.store(log_->size_bytes(), std::memory_order_relaxed);
}

result<raft::boot_state> log_store::boot_state() const {
  raft::boot_state boot;
  const auto start = log_->start();
  boot.start = {start.index, start.term};
  boot.start_offset = start.next_offset;
  boot.start_timestamp_ms = start.last_timestamp_ms;
  if (!start.configuration.empty()) {
    auto config = decode(start.configuration, start.index, config_.directory);
    if (!config) return config.error();
    boot.start_config = std::move(*config);
  }
  auto runs = log_->term_runs();
  if (!runs) return runs.error();
  for (const auto& run : *runs)
    boot.terms.push_back({run.first, run.term});
  boot.last = log_index(log_->next_index().value() - 1);
  boot.next_offset = log_->next_offset();
  for (const auto& stored : log_->configs()) {
    auto config = decode(stored.payload, stored.index, config_.directory);
    if (!config) return config.error();
    boot.configs.push_back({stored.index, std::move(*config)});
  }
  boot.last_timestamp_ms = log_->last_timestamp_ms();
  // What readers were shown before stays shown.
  if (const auto shown = publisher().published(); shown > boot.start.index) {
    const auto end = publisher().publish(shown);
    if (!end) return end.error();
    boot.committed = shown;
    boot.committed_offset = *end;
  }

  boot.state.term = hard_state_.current().term;
  if (const auto vote = parse_vote(hard_state_.current().voted_for)) {
    boot.state.vote = *vote;
  } else if (!boot.configs.empty()) {
    // A node that ran alone voted for itself, under its name. The first configuration after that
    // has no other voter, see bootstrap().
    boot.state.vote = boot.configs.front().config.voters.front();
  }
  return boot;
}

bool log_store::blank() const {
  return log_->start().configuration.empty() && log_->configs().empty();
}

status log_store::bootstrap(const raft::configuration& config) {
  if (!blank()) {
    return error{errc::already_exists,
                 fmt::format("{}: this log has a configuration already", config_.directory)};
  }
  if (auto s = raft::validate(config); !s) return s;
  if (config.voters.size() != 1 || config.joint()) {
    return error{
        errc::invalid_argument,
        fmt::format("a new group begins with one voter, not with {}", config.voters.size())};
  }
  const term_id term = std::max(hard_state_.current().term, k_first_term);
  // No entry is of a term that the hard state does not know.
  if (hard_state_.current().term < term) {
    if (auto s = save_state({term, raft::k_nobody}); !s) return s;
  }
  raft::entry first;
  first.index = log_->next_index();
  first.term = term;
  first.kind = raft::entry_kind::config;
  first.base_offset = log_->next_offset();
  first.timestamp_ms = std::max(env_.now_ms(), log_->last_timestamp_ms());
  first.payload = raft::encode(config);
  commit_facts facts;
  if (auto s = append({first}, facts); !s) return s;
  if (auto s = log_->sync(); !s) return fence("sync", s.error());
  if (!parse_vote(hard_state_.current().voted_for)) return save_state({term, config.voters[0]});
  return {};
}

// --- writing -------------------------------------------------------------------------------------

status log_store::write(const raft::persist_batch& batch) {
  if (fenced()) return error{errc::io_error, fence_reason_};
  CAIRN_CHECK(batch.ticket >= ticket_, "batch {} after batch {}", batch.ticket.value(),
              ticket_.value());
  if (batch.ticket != ticket_) {
    ticket_ = batch.ticket;
    next_step_ = step::state;
  }
  commit_facts facts;
  const auto begun = env_.monotonic_ns();
  gate_->write_begins(begun);
  auto done = carry_out(batch, facts);
  const auto written = env_.monotonic_ns();
  if (done) {
    done = log_->sync();
    if (!done) done = fence("sync", done.error());
  }
  const auto ended = env_.monotonic_ns();
  gate_->write_ended();
  if (!done) return done;
  next_step_ = step::sync;
  last_write_ = {begun, written, ended};
  if (facts.frames == 0) return {};
  gate_->size_bytes.store(log_->size_bytes(), std::memory_order_relaxed);
  facts.write_ns = written - begun;
  facts.sync_ns = ended - written;
  observer_->committed(facts);
  return {};
}

status log_store::carry_out(const raft::persist_batch& batch, commit_facts& facts) {
  const auto begin = [this](step s) { return next_step_ == s; };
  if (begin(step::state)) {
    if (batch.state) {
      if (auto s = save_state(*batch.state); !s) return s;
    }
    next_step_ = step::install;
  }
  if (begin(step::install)) {
    if (batch.install) {
      const auto& content = *batch.install;
      auto s = log_->install({.index = content.last.index,
                              .term = content.last.term,
                              .next_offset = content.next_offset,
                              .configuration = raft::encode(content.config),
                              .state = content.state,
                              .last_timestamp_ms = content.last_timestamp_ms});
      if (s.code() == errc::disk_full) return s;
      if (!s) return fence("start of the log anew", s.error());
      note_unsaved(content.last.index.next(), content.last.index.next());
    }
    next_step_ = step::truncate;
  }
  if (begin(step::truncate)) {
    if (batch.truncate_from && *batch.truncate_from < log_->next_index()) {
      if (auto s = log_->truncate_suffix(*batch.truncate_from); !s) {
        return fence("truncation", s.error());
      }
    }
    next_step_ = step::append;
  }
  if (begin(step::append)) {
    if (auto s = append(batch.entries, facts); !s) return s;
    next_step_ = step::sync;
  }
  return {};
}

status log_store::save_state(const raft::hard_state& state) {
  auto saved = hard_state_.save({.term = state.term, .voted_for = vote_text(state.vote)});
  return saved ? saved : fence("save of the hard state", saved.error());
}

status log_store::append(const std::vector<raft::entry>& entries, commit_facts& facts) {
  if (entries.empty()) return {};
  std::vector<storage::frame_input> frames(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const raft::entry& from = entries[i];
    if (from.codec > static_cast<std::uint8_t>(storage::frame_codec::zstd)) {
      return fence("append",
                   {errc::invalid_argument, fmt::format("entry {} has the unknown codec {}",
                                                        from.index.value(), from.codec)});
    }
    storage::frame_input& to = frames[i];
    to.kind = static_cast<storage::frame_kind>(from.kind);
    to.codec = static_cast<storage::frame_codec>(from.codec);
    to.term = from.term;
    to.index = from.index;
    to.timestamp_ms = from.timestamp_ms;
    to.record_count = from.record_count;
    to.base_offset = from.base_offset;
    if (!from.payload.empty()) to.payload.push_back(from.payload);
    if (has_stamps(from)) note_unsaved(from.index, from.index);
    facts.records += from.record_count;
    facts.payload_bytes += from.payload.size();
  }
  facts.frames = entries.size();
  auto appended = log_->append(frames);
  if (appended) return {};
  if (appended.code() == errc::disk_full) return appended.error();
  return fence("append", appended.error());
}

status log_store::reserve(std::uint64_t bytes) {
  if (fenced()) return error{errc::io_error, fence_reason_};
  auto reserved = log_->reserve(bytes);
  if (!reserved && log_->fenced()) return fence("reservation of space", reserved.error());
  return reserved;
}

status log_store::fence(const char* attempted, const error& cause) {
  if (fence_reason_.empty()) {
    fence_reason_ = fmt::format("log {} is fenced: a failed {} leaves unknown what is on disk ({})",
                                config_.name, attempted, cause.detail);
    gate_->fence(fence_reason_);
    log_critical(log_component::log)
        .field("log", config_.name)
        .field("code", to_string(cause.code))
        .say(
            "{} failed: {}. Nobody can say which of the last writes are on disk, so it is not "
            "tried again: waiting appends are answered as unknown, later ones refused, and this "
            "node ends. What was acknowledged before is safe. Check the disk (dmesg, smartctl), "
            "then start the node again: it recovers by scanning the log.",
            attempted, cause.detail);
  }
  return error{cause.code == errc::disk_full ? errc::io_error : cause.code, fence_reason_};
}

// --- reading -------------------------------------------------------------------------------------

result<std::vector<raft::entry>> read_raft_entries(const storage::log_reader& reader,
                                                   log_index first, log_index last,
                                                   std::uint64_t bytes_max, bool published_only) {
  auto frames = reader.read_entries(
      first, {.bytes_max = bytes_max, .before = last, .published_only = published_only});
  if (!frames) return frames.error();
  std::vector<raft::entry> entries(frames->size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const storage::frame_header& from = (*frames)[i].header;
    raft::entry& to = entries[i];
    to.index = from.index;
    to.term = from.term;
    to.kind = static_cast<raft::entry_kind>(from.kind);
    to.codec = static_cast<std::uint8_t>(from.codec);
    to.record_count = from.record_count;
    to.base_offset = from.base_offset;
    to.timestamp_ms = from.timestamp_ms;
    to.payload = std::move((*frames)[i].payload);
  }
  return entries;
}

result<std::vector<raft::entry>> log_store::load(log_index first, log_index last,
                                                 std::uint64_t bytes_max) const {
  return read_raft_entries(*reader_, first, last, bytes_max, false);
}

log_range log_store::range() const {
  return {.lowest = reader_->lowest_offset(), .next = reader_->end_offset()};
}

// --- retention and the end -----------------------------------------------------------------------

void log_store::trim(const char* attempted, const status& outcome) {
  if (outcome.ok()) return;
  if (log_->fenced()) {
    static_cast<void>(fence(attempted, outcome.error()));
    return;
  }
  log_warning(log_component::log)
      .sparsely()
      .field("log", config_.name)
      .field("code", to_string(outcome.code()))
      .say(
          "{} failed: {}. It is tried again by itself; until then old segments take up their "
          "space. If this goes on, look at the directory's permissions and the disk.",
          attempted, outcome.error().detail);
}

std::optional<log_trimmed> log_store::apply_retention() {
  if (fenced() || gate_->closing()) return std::nullopt;
  const auto before = log_->first_index();
  const auto lowest_before = log_->lowest_offset();
  const auto& keep = config_.retention;
  const auto now = std::max(env_.now_ms(), log_->last_timestamp_ms());
  if (keep.segment_ms != 0) {
    const auto segments = log_->segments();
    if (!segments.empty() && !segments.back().sealed &&
        segments.back().next_offset > segments.back().base_offset &&
        now - segments.back().first_timestamp_ms >= static_cast<unix_ms>(keep.segment_ms)) {
      trim("rolling by age", log_->roll());
    }
  }
  if (keep.ms != 0) {
    trim("trimming by age", log_->trim_older_than(now - static_cast<unix_ms>(keep.ms)));
  }
  if (keep.bytes != 0) trim("trimming by size", log_->trim_to_bytes(keep.bytes));
  gate_->size_bytes.store(log_->size_bytes(), std::memory_order_relaxed);
  if (log_->first_index() == before && log_->lowest_offset() == lowest_before) return std::nullopt;
  const auto start = log_->start();
  return log_trimmed{.start = {start.index, start.term},
                     .start_offset = start.next_offset,
                     .lowest = log_->lowest_offset(),
                     .start_timestamp_ms = start.last_timestamp_ms};
}

status log_store::close() {
  return log_->close();
}

}  // namespace cairn::actors
