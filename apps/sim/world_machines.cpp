// Machines that start, work and fall: what carries out the effects of a replica.

#include "actors/wire/append_codec.hpp"
#include "actors/wire/raft_codec.hpp"
#include "apps/sim/world.hpp"

#include <algorithm>

namespace cairn::sim {

void world::set_clocks(machine& m) {
  m.disk.set_monotonic_ns(time_.now_ns() + 1);
  m.disk.set_now_ms(k_epoch_ms + static_cast<unix_ms>(time_.now_ns() / k_ns_per_ms) +
                    m.wall_offset_ms);
  if (m.replica) m.replica->set_time({m.disk.monotonic_ns(), m.disk.now_ms()});
}

// What reaches a process that stands still waits; what reaches one that has ended is gone.
void world::on_machine(std::uint64_t index, std::uint64_t delay_ns,
                       std::function<void(machine&)> what) {
  machine& m = *machines_[index];
  time_.after(delay_ns, [this, &m, life = m.life, what = std::move(what)]() mutable {
    if (m.life != life || !m.up() || !failure_.empty()) return;
    if (m.paused) {
      m.while_paused.push_back([this, &m, what = std::move(what)] {
        set_clocks(m);
        what(m);
      });
      return;
    }
    set_clocks(m);
    what(m);
  });
}

void world::tick(std::uint64_t index) {
  machine& m = *machines_[index];
  on_machine(index, m.tick_ns - m.tick_ns / 20 + random_.below(m.tick_ns / 10),
             [this, index](machine& self) {
               self.replica->tick();
               drive_soon(index);
               tick(index);
             });
}

void world::drive_soon(std::uint64_t index) {
  machine& m = *machines_[index];
  if (m.drive_due) return;
  m.drive_due = true;
  on_machine(index, random_.below(swarm_.mailbox_us * 1000), [this, index](machine& self) {
    self.drive_due = false;
    drive(index);
  });
}

void world::drive(std::uint64_t index) {
  actors::replica_effects out = machines_[index]->replica->take();
  carry_out(index, out);
}

void world::carry_out(std::uint64_t index, actors::replica_effects& out) {
  machine& m = *machines_[index];
  if (out.publish) {
    const auto shown = m.store->publisher().publish(out.publish_last);
    if (!shown) return fail(index, "cannot publish: " + shown.error().detail);
    if (*shown != *out.publish) return fail(index, "storage and replica differ about an offset");
  }
  check_core(index);
  if (!failure_.empty()) return;
  if (out.lead) {
    note(index, "leadership: role, term, leader", static_cast<std::uint64_t>(out.lead->as),
         out.lead->term.value(), out.lead->leader.value());
  }
  send_messages(index, out.messages);
  send_appends(index, out);
  if (out.persist) persist(index, std::move(out.persist));
  if (out.checkpoint) save_sessions(index, *out.checkpoint);
  if (out.reserve_bytes) {
    disk_job(index, [this, index, bytes = *out.reserve_bytes](machine& self) {
      const status room = self.store->reserve(bytes);
      self.replica->room_reserved(room.code(), room ? "" : room.error().detail,
                                  {self.store->room_bytes(), self.store->room_frames()});
      if (self.store->fenced()) return end(index, testing::crash_keep::all);
      drive_soon(index);
    });
  }
  for (const raft::load_request& want : out.loads) {
    disk_job(index, [this, index, want](machine& self) {
      auto entries = self.store->load(want.first, want.last, want.bytes_max);
      if (!entries) entries = std::vector<raft::entry>{};
      self.replica->loaded(want.peer, want.request, std::move(*entries));
      drive_soon(index);
    });
  }
  for (const actors::client_outcomes& answer : out.outcomes)
    take_outcomes(index, answer);
  for (const actors::barrier_answer& answer : out.barriers)
    take_barrier(index, answer);
  for (const actors::request_answer& answer : out.requests)
    take_request(index, answer);
  for (const raft::notice& n : out.notices) {
    note(index, n.detail.empty() ? "notice: kind" : n.detail, static_cast<std::uint64_t>(n.kind),
         n.node.value());
    const bool alarm =
        n.kind == raft::notice_kind::message_refused || n.kind == raft::notice_kind::entries_lost;
    if (alarm) fail(index, fmt::format("notice about {}: {}", n.node.value(), n.detail));
  }
}

void world::send_messages(std::uint64_t index, const std::vector<raft::message>& messages) {
  std::map<raft::node_id, std::vector<raft::message>> by_receiver;
  for (const raft::message& m : messages) {
    check_shown(index, m);
    by_receiver[m.to].push_back(m);
  }
  for (const auto& [to, batch] : by_receiver) {
    for (wire::envelope_parts& parts : wire::encode_raft(batch)) {
      note(index, "sends raft: to, messages, bytes", to.value(), batch.size(),
           parts.head.size() + parts.body.size());
      net_.send({index, to.value() - 1, parts.kind, std::move(parts.head), std::move(parts.body)});
    }
  }
}

void world::send_appends(std::uint64_t index, actors::replica_effects& out) {
  machine& m = *machines_[index];
  for (const actors::outgoing_appends& sent : out.appends) {
    const std::uint64_t to = sent.to.value() - 1;
    const bool linked = machines_[to]->up() && net_.connected(index, to);
    note(index, "forwards: to, batch, linked", sent.to.value(), sent.appends.batch, linked);
    if (!linked && random_.coin()) {
      m.replica->appends_dropped(sent.to, sent.appends.batch);
      drive_soon(index);
      continue;
    }
    wire::envelope_parts parts = wire::encode_appends(sent.appends);
    net_.send({index, to, parts.kind, std::move(parts.head), std::move(parts.body)});
  }
  for (const actors::outgoing_outcomes& sent : out.remote_outcomes) {
    for (wire::envelope_parts& parts : wire::encode_outcomes(sent.outcomes)) {
      net_.send(
          {index, sent.to.value() - 1, parts.kind, std::move(parts.head), std::move(parts.body)});
    }
  }
}

void world::deliver(const packet& p) {
  on_machine(p.to, 0, [this, p](machine& m) {
    const raft::node_id from(p.from + 1);
    std::string wrong;
    if (p.kind == actors::peer_kind::raft) {
      auto batch = wire::decode_raft(p.head, p.body);
      if (!batch) wrong = batch.error().detail;
      if (batch) {
        for (raft::message& message : batch->messages)
          m.replica->receive(from, std::move(message));
      }
    } else if (p.kind == actors::peer_kind::append) {
      auto appends = wire::decode_appends(p.head, p.body);
      if (!appends) wrong = appends.error().detail;
      if (appends) m.replica->receive(from, std::move(*appends));
    } else {
      const auto outcomes = wire::decode_outcomes(p.head, p.body);
      if (!outcomes) wrong = outcomes.error().detail;
      if (outcomes) m.replica->receive(from, *outcomes);
    }
    if (!wrong.empty()) return fail(p.to, "an envelope does not decode: " + wrong);
    drive_soon(p.to);
  });
}

// The log's thread does one thing after the other.
void world::disk_job(std::uint64_t index, std::function<void(machine&)> what) {
  machine& m = *machines_[index];
  const std::uint64_t begin_ns = std::max(time_.now_ns(), m.disk_free_ns);
  m.disk_free_ns = begin_ns + 1 + random_.below(swarm_.disk_delay_us * 1000);
  on_machine(index, m.disk_free_ns - time_.now_ns(), std::move(what));
}

void world::persist(std::uint64_t index, std::shared_ptr<const raft::persist_batch> batch) {
  machine& m = *machines_[index];
  if (m.writing) return fail(index, "two writes at a time");
  m.writing = batch;
  disk_job(index, [this, index, batch](machine& self) {
    const status done = self.store->write(*batch);
    note(index, "persisted: ticket, entries, code", batch->ticket.value(), batch->entries.size(),
         static_cast<std::uint64_t>(done.code()));
    const bool failed = !done && done.code() != errc::disk_full;
    self.unfinished = done.code() == errc::disk_full ? batch : nullptr;
    if (!failed) self.writing.reset();  // else any part of it may be on the disk
    if (done) check_persisted(index, *batch);
    if (done) check_overlay(index);
    self.replica->persisted(batch->ticket, done.code(), done ? "" : done.error().detail,
                            {self.store->room_bytes(), self.store->room_frames()});
    drive(index);
    if (!failed || !failure_.empty()) return;
    note(index, "ends: the disk failed");
    end(index, testing::crash_keep::all);
  });
}

void world::save_sessions(std::uint64_t index, const actors::session_checkpoint& checkpoint) {
  disk_job(index, [this, index, checkpoint](machine& self) {
    const status saved = self.store->save_sessions(checkpoint);
    note(index, "saves its sessions: applied, code", checkpoint.index.value(),
         static_cast<std::uint64_t>(saved.code()));
    self.replica->checkpointed(saved.code());
    if (self.store->fenced()) return end(index, testing::crash_keep::all);
    drive_soon(index);
  });
}

void world::start(std::uint64_t index) {
  machine& m = *machines_[index];
  if (m.up() || m.ruined) return;
  ++m.life;
  set_clocks(m);
  auto opened = open_store(m.disk);
  if (!opened) {
    note(index, "does not start: code", static_cast<std::uint64_t>(opened.code()));
    if (opened.code() == errc::corruption && m.flipped) {
      m.ruined = true;
      return;
    }
    if (!faults_ || opened.code() != errc::io_error) {
      return fail(index, "does not start: " + opened.error().detail);
    }
    m.disk.crash();
    return time_.after(random_.below(swarm_.down_ms * k_ns_per_ms) + 1,
                       [this, index] { start(index); });
  }
  m.store = std::move(*opened);
  const auto found = m.store->boot_state();
  if (!found) return fail(index, "does not start: " + found.error().detail);
  const raft::boot_state& boot = *found;
  auto sessions = m.store->load_sessions();
  if (!sessions) {
    note(index, "does not start: code of its sessions",
         static_cast<std::uint64_t>(sessions.code()));
    m.store.reset();
    if (sessions.code() == errc::corruption && m.flipped) {
      m.ruined = true;
      return;
    }
    if (!faults_ || sessions.code() != errc::io_error) {
      return fail(index, "does not start: " + sessions.error().detail);
    }
    m.disk.crash();
    return time_.after(random_.below(swarm_.down_ms * k_ns_per_ms) + 1,
                       [this, index] { start(index); });
  }
  note(index, "starts: last entry, term, start", boot.last.value(), boot.state.term.value(),
       boot.start.index.value());
  check_recovered(index, boot);
  if (!failure_.empty()) return;
  actors::replica_config config = replica_config(index);
  config.sessions = std::make_shared<actors::session_boot>(*std::move(sessions));
  m.replica = std::make_unique<actors::replica>(config, boot, m.random);
  set_clocks(m);
  m.status = m.replica->core().status();
  m.status.commit = boot.start.index;  // a lone voter knows at once what is committed: look at it
  m.disk_free_ns = 0;
  m.links.assign(machines_.size(), false);
  tick(index);
  drive_soon(index);
  links_changed();
}

// The process ends, or the whole machine: what the disk keeps is `keep`.
void world::end(std::uint64_t index, testing::crash_keep keep) {
  machine& m = *machines_[index];
  if (!m.up()) return;
  note(index, keep == testing::crash_keep::all ? "is killed" : "loses power");
  m.sure_to = m.durable.last();
  // In the middle of a write, or between two attempts: any part of it may have been done.
  if (const auto& begun = m.writing ? m.writing : m.unfinished) {
    if (begun->install) m.sure_to = log_index(0);
    if (begun->truncate_from) {
      m.sure_to = std::min(m.sure_to, raft::prior(*begun->truncate_from));
    }
  }
  if (m.writing && random_.coin() && !m.store->fenced()) {
    m.disk.stop_at(m.disk.operations() + 1 + random_.below(6));
    static_cast<void>(m.store->write(*m.writing));
  }
  m.disk.crash(keep);
  m.replica.reset();
  m.store.reset();
  m.writing.reset();
  m.unfinished.reset();
  m.while_paused.clear();
  m.paused = m.drive_due = false;
  ++m.life;
  ++restarts_;
  end_calls_of(index);
  links_changed();
  time_.after(1 + random_.below(swarm_.down_ms * k_ns_per_ms), [this, index] { start(index); });
}

// Connections notice after a while that the other side is gone, or back.
void world::links_changed() {
  for (std::uint64_t i = 0; i < machines_.size(); ++i) {
    on_machine(i, k_ns_per_ms * (1 + random_.below(faults_ ? 1500 : 100)), [this, i](machine& m) {
      for (std::uint64_t j = 0; j < machines_.size(); ++j) {
        const bool up = machines_[j]->up() && net_.connected(i, j) && net_.connected(j, i);
        if (i == j || m.links[j] == up) continue;
        m.links[j] = up;
        m.replica->link_changed(machines_[j]->node, up);
        m.replica->peer_reachable(machines_[j]->node, up);
      }
      drive_soon(i);
    });
  }
}

}  // namespace cairn::sim
