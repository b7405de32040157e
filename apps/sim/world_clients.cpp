// Clients: each has one call under way at a time, to any node, and gives up after a while.

#include "apps/sim/records.hpp"
#include "apps/sim/world.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::sim {
namespace {

constexpr std::uint64_t k_read_records_max = 50;

}  // namespace

void world::client_soon(std::uint64_t id) {
  time_.after(1 + random_.below(swarm_.think_ms * k_ns_per_ms), [this, id] {
    if (failure_.empty() && clients_[id].call == 0) client_call(id);
  });
}

void world::client_call(std::uint64_t id) {
  const std::uint64_t index = random_.below(100) < swarm_.leader_percent
                                  ? leader_or_any()
                                  : random_.below(machines_.size());
  // Nobody there: the next one, after a while.
  if (!machines_[index]->up()) return client_soon(id);
  const std::uint64_t call = ++last_id_;
  clients_[id].call = call;
  open_call& open = calls_[call];
  open.client = id;
  open.machine = index;
  open.begun_ns = time_.now_ns();
  open.invoked = ++history_time_;
  if (random_.below(100) < swarm_.read_percent) {
    call_read(call, open);
  } else {
    call_append(call, open);
  }
  time_.after(k_ns_per_ms * (1 + swarm_.client_timeout_ms),
              [this, call] { client_gives_up(call); });
}

void world::call_append(std::uint64_t call, open_call& open) {
  client& c = clients_[open.client];
  if (c.unanswered && (c.missed || random_.below(100) < swarm_.give_up_percent)) {
    // Nobody knows whether that number is taken: another epoch begins.
    if (c.unanswered->numbered) ++c.epoch, c.next_seq = 0;
    c.unanswered.reset();
  }
  c.missed = false;
  if (!c.unanswered) {
    sent_append fresh = new_append(open.client);
    if (!attempts_[fresh.position].identity) return attempt(call, open, fresh);
    c.unanswered = std::move(fresh);
  }
  attempt(call, open, *c.unanswered);
}

world::sent_append world::new_append(std::uint64_t id) {
  sent_append fresh;
  append_call append;
  append.invoked = history_time_;
  const std::uint64_t count = 1 + random_.below(swarm_.batch_records_max);
  for (std::uint64_t i = 0; i < count; ++i)
    append.values.push_back(++last_value_);
  fresh.item.record_count = static_cast<std::uint32_t>(count);
  fresh.item.payload =
      encode_records(append.values, k_record_bytes_min + random_.below(swarm_.record_bytes_max));
  if (random_.below(100) < swarm_.conditional_percent) {
    fresh.item.conditional = true;
    fresh.item.expected_offset = record_offset(clients_[id].end + (random_.one_in(8) ? 1 : 0));
  }
  fresh.position = history_.appends.size();
  history_.appends.push_back(std::move(append));
  attempts_.emplace_back();
  if (swarm_.identity_percent != 0 && random_.below(100) < swarm_.identity_percent) {
    give_identity(id, fresh);
  }
  return fresh;
}

void world::give_identity(std::uint64_t id, sent_append& append) {
  const client& c = clients_[id];
  append.numbered = random_.coin();
  const auto who =
      append.numbered
          ? proto::identity_of_producer(fmt::format("client {}", id), c.epoch, c.next_seq)
          : proto::identity_of_key(fmt::format("append {}", append.position));
  append.item.payload =
      proto::encode_append_stamp(who, {append.item.payload, append.item.record_count});
  attempts_[append.position].identity = true;
}

void world::attempt(std::uint64_t call, open_call& open, const sent_append& append) {
  actors::append_item item = append.item;
  item.id = call;
  if (item.conditional) open.expected = item.expected_offset;
  open.append = true;
  open.position = append.position;
  ++attempts_[append.position].made;
  on_machine(open.machine, random_.below(k_ns_per_ms),
             [this, index = open.machine, client = open.client, item](machine& m) {
               actors::append_item arrived = item;
               arrived.deadline_ns = time_.now_ns() + k_ns_per_ms * swarm_.client_timeout_ms;
               m.replica->append(client + 1, {std::move(arrived)});
               drive_soon(index);
             });
}

void world::call_read(std::uint64_t call, open_call& open) {
  const std::uint64_t end = clients_[open.client].end;
  const std::uint64_t back = std::min<std::uint64_t>(end, random_.below(40));
  open.from = random_.one_in(5) ? random_.below(end + 1) : end - back;
  const bool linearizable = random_.below(100) < swarm_.linearizable_percent;
  on_machine(open.machine, random_.below(k_ns_per_ms),
             [this, call, index = open.machine, client = open.client, linearizable](machine& m) {
               if (!linearizable) return finish_read(call, std::nullopt);
               m.replica->barrier(client + 1, call,
                                  time_.now_ns() + k_ns_per_ms * swarm_.client_timeout_ms);
               drive_soon(index);
             });
}

// Whoever has timed out may still be answered: that must be right, too.
void world::client_gives_up(std::uint64_t call) {
  const auto found = calls_.find(call);
  if (found == calls_.end() || !found->second.waited_for) return;
  found->second.waited_for = false;
  clients_[found->second.client].call = 0;
  client_soon(found->second.client);
}

void world::end_call(std::uint64_t call) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  const open_call open = found->second;
  calls_.erase(found);
  if (!open.waited_for) return;
  clients_[open.client].call = 0;
  client_soon(open.client);
}

// The connections of its clients break.
void world::end_calls_of(std::uint64_t index) {
  std::vector<std::uint64_t> gone;
  for (const auto& [call, open] : calls_) {
    if (open.machine == index) gone.push_back(call);
  }
  for (const std::uint64_t call : gone)
    end_call(call);
  std::erase_if(requests_, [index](const auto& request) { return request.second == index; });
}

void world::take_outcomes(std::uint64_t index, const actors::client_outcomes& answer) {
  for (const actors::append_outcome& outcome : answer.outcomes.items) {
    note(index, "answers an append: id, code, offset", outcome.id,
         static_cast<std::uint64_t>(outcome.code), outcome.offset.value());
    const auto found = calls_.find(outcome.id);
    if (found == calls_.end() || !found->second.append || found->second.machine != index) {
      return fail(index, fmt::format("append {} was answered twice", outcome.id));
    }
    const open_call& open = found->second;
    append_ended(index, open, outcome);
    if (!failure_.empty()) return;
    const append_call& append = history_.appends[open.position];
    std::uint64_t& end = clients_[open.client].end;
    end = std::max({end, append.base + append.values.size() * (outcome.code == errc::none),
                    answer.outcomes.range.next.value()});
    end_call(outcome.id);
  }
}

void world::append_ended(std::uint64_t index, const open_call& open,
                         const actors::append_outcome& outcome) {
  append_call& append = history_.appends[open.position];
  std::optional<sent_append>& unanswered = clients_[open.client].unanswered;
  const bool current = unanswered && unanswered->position == open.position;
  if (outcome.code == errc::outcome_unknown) return;
  if (outcome.code != errc::none) {
    append_refused(index, open, outcome);
    // Certainly not stored, whichever attempt: its number is free.
    if (append.fate == append_fate::failed && current) unanswered.reset();
    // The log goes on elsewhere: clients that said this again and again would do nothing else.
    if (current) clients_[open.client].missed = outcome.code == errc::expected_offset_missed;
    return;
  }
  const std::string broken = truth_.saw_ok(outcome);
  if (!broken.empty()) return fail(index, broken);
  if (outcome.count != append.values.size()) return fail(index, "acknowledges another append");
  if (open.expected && outcome.offset != *open.expected) {
    return fail(index, fmt::format("append only at {} was done at {}", open.expected->value(),
                                   outcome.offset.value()));
  }
  ++appends_ok_;
  replays_ += outcome.replayed;
  if (current) {
    if (unanswered->numbered) ++clients_[open.client].next_seq;
    unanswered.reset();
  }
  if (append.fate == append_fate::ok) {
    if (append.base == outcome.offset.value()) return;
    return fail(index, fmt::format("one append is acknowledged at offset {} and at {}", append.base,
                                   outcome.offset.value()));
  }
  append.fate = append_fate::ok;
  append.base = outcome.offset.value();
  append.responded = ++history_time_;
}

// A client of ours never uses a key for another body, and never leaves out a number. Only an
// attempt that it no longer cares about can come too late.
void world::append_refused(std::uint64_t index, const open_call& open,
                           const actors::append_outcome& outcome) {
  append_call& append = history_.appends[open.position];
  attempts& tried = attempts_[open.position];
  const std::optional<sent_append>& unanswered = clients_[open.client].unanswered;
  const bool current = unanswered && unanswered->position == open.position;
  switch (outcome.code) {
    case errc::key_reused:
    case errc::sequence_gap:
      return fail(index, fmt::format("append {} is refused: {}", outcome.id, outcome.detail));
    case errc::producer_fenced:
    case errc::sequence_too_old:
      if (current) {
        return fail(index, fmt::format("append {} is refused: {}", outcome.id, outcome.detail));
      }
      break;
    default:
      break;
  }
  if (outcome.code != errc::sequence_too_old) ++tried.failed;
  if (tried.failed == tried.made) append.fate = append_fate::failed;
}

void world::take_barrier(std::uint64_t index, const actors::barrier_answer& answer) {
  note(index, "answers a barrier: id, code, end", answer.id,
       static_cast<std::uint64_t>(answer.code), answer.end.value());
  const auto found = calls_.find(answer.id);
  if (found == calls_.end() || found->second.append || found->second.machine != index) {
    return fail(index, fmt::format("read {} was answered twice", answer.id));
  }
  if (answer.code != errc::none) return end_call(answer.id);
  finish_read(answer.id, answer.end);
}

void world::take_request(std::uint64_t index, const actors::request_answer& answer) {
  note(index, "answers an operator: request, code", answer.id,
       static_cast<std::uint64_t>(answer.code));
  if (requests_.erase(answer.id) == 0) {
    fail(index, fmt::format("request {} was answered twice", answer.id));
  }
}

void world::finish_read(std::uint64_t call, std::optional<record_offset> end) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  const open_call open = found->second;
  machine& m = *machines_[open.machine];
  const auto reader = m.store->reader();
  read_call read;
  read.invoked = open.invoked;
  read.linearizable = end.has_value();
  if (end && *end > reader->end_offset()) {
    return fail(open.machine, "a linearizable read may begin before its records are visible");
  }
  read.end = end.value_or(reader->end_offset()).value();
  read.from = std::min(*read.end, std::max(open.from, reader->lowest_offset().value()));
  read.where = fmt::format("node {}", m.node.value());
  auto records =
      read_records(m, record_offset(read.from), record_offset(*read.end), k_read_records_max);
  if (records) {
    read.records = std::move(*records);
    read.responded = ++history_time_;
    clients_[open.client].end = std::max(clients_[open.client].end, *read.end);
    history_.reads.push_back(std::move(read));
  }
  end_call(call);
}

// Nothing if the log was trimmed there meanwhile, or its disk failed.
std::optional<std::vector<seen_record>> world::read_records(machine& m, record_offset from,
                                                            record_offset end,
                                                            std::uint64_t count_max) {
  std::vector<seen_record> records;
  if (from >= end) return records;
  storage::read_limits limits;
  limits.records_max = count_max;
  const auto frames = m.store->reader()->read(from, limits);
  if (!frames) {
    const errc code = frames.code();
    const bool excused = code == errc::offset_trimmed || code == errc::io_error ||
                         (code == errc::corruption && m.flipped);
    if (!excused) fail(m.node.value() - 1, "a read failed: " + frames.error().detail);
    return std::nullopt;
  }
  for (const storage::stored_frame& frame : *frames) {
    const auto values = decode_records(frame.payload.span());
    if (!values || values->size() != frame.header.record_count) {
      fail(m.node.value() - 1, "a read returned bytes that nobody sent");
      return std::nullopt;
    }
    for (std::uint64_t i = 0; i < values->size(); ++i) {
      const record_offset offset = frame.header.base_offset.plus(i);
      if (offset < from || offset >= end || records.size() >= count_max) continue;
      records.push_back({offset.value(), (*values)[i]});
    }
  }
  return records;
}

}  // namespace cairn::sim
