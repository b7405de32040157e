#include "apps/console/top.hpp"

#include "apps/console/human.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::console {

namespace {

using align = table::align;

std::string number_text(const std::optional<double>& number, std::string_view unit) {
  if (!number) return "-";
  return *number >= 100 ? count_text(static_cast<std::uint64_t>(*number)) + std::string(unit)
                        : fmt::format("{:.1f}{}", *number, unit);
}

double grown(std::uint64_t before, std::uint64_t now) {
  // A node that has been restarted begins anew.
  return now >= before ? static_cast<double>(now - before) : static_cast<double>(now);
}

}  // namespace

double top_view::node_row::seconds() const {
  return before ? static_cast<double>(now.time_ms - before->time_ms) / 1000 : 0;
}

std::optional<double> top_view::node_row::records_per_s() const {
  if (seconds() <= 0 || before->facts.started_ms() != now.facts.started_ms()) return std::nullopt;
  return grown(before->raft.applied_offset(), now.raft.applied_offset()) / seconds();
}

std::optional<double> top_view::node_row::cpu_percent() const {
  if (seconds() <= 0 || before->facts.started_ms() != now.facts.started_ms()) return std::nullopt;
  return grown(before->facts.cpu_ns(), now.facts.cpu_ns()) / 1e7 / seconds();
}

status top_view::sample(asker& ask) {
  const auto whom = ask.members();
  if (!whom) return whom.error();
  std::vector<v1::InspectRequest> questions(3);
  questions[0].mutable_node_facts();
  questions[1].mutable_raft();
  questions[2].mutable_actors();
  auto said = ask.ask_together(*whom, questions);
  if (ask.interrupted()) return error{errc::unavailable, "interrupted"};
  const auto silent = [](const auto& of_one) { return of_one[0].failure.has_value(); };
  if (!said.empty() && std::all_of(said.begin(), said.end(), silent)) return *said[0][0].failure;
  std::vector<node_row> rows;
  for (auto& of_one : said) {
    auto& facts = of_one[0];
    auto& raft = of_one[1];
    auto& actors = of_one[2];
    node_row row;
    row.node = facts.node;
    row.silent = facts.failure.has_value();
    for (auto& old : rows_) {
      if (old.node == row.node && !old.silent) row.before = std::move(old.now);
    }
    if (!row.silent) {
      row.now.facts = std::move(*facts.answer.mutable_node_facts());
      row.now.time_ms = row.now.facts.now_ms();
      if (!raft.failure) row.now.raft = std::move(*raft.answer.mutable_raft());
      for (auto& actor : *actors.answer.mutable_actors()->mutable_actors()) {
        const auto id = actor.id();
        row.now.actors.emplace(id, std::move(actor));
      }
    }
    rows.push_back(std::move(row));
  }
  rows_ = std::move(rows);
  return {};
}

std::vector<top_view::actor_row> top_view::busiest() const {
  std::vector<actor_row> all;
  for (const auto& row : rows_) {
    for (const auto& [id, actor] : row.now.actors) {
      actor_row one{row.node, &actor, std::nullopt, std::nullopt};
      if (row.seconds() > 0) {
        const auto old = row.before->actors.find(id);
        if (old != row.before->actors.end()) {
          one.messages_per_s = grown(old->second.processed(), actor.processed()) / row.seconds();
          // 0 in all its life: it is not measured.
          if (actor.busy_ns() > 0) {
            one.busy_percent = grown(old->second.busy_ns(), actor.busy_ns()) / 1e7 / row.seconds();
          }
        }
      }
      all.push_back(std::move(one));
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const actor_row& a, const actor_row& b) {
    const auto busy = [](const actor_row& one) { return one.busy_percent.value_or(0); };
    if (busy(a) != busy(b)) return busy(a) > busy(b);
    if (a.actor->mailbox() != b.actor->mailbox()) return a.actor->mailbox() > b.actor->mailbox();
    const auto handled = [](const actor_row& one) { return one.messages_per_s.value_or(0); };
    if (handled(a) != handled(b)) return handled(a) > handled(b);
    return a.actor->busy_ns() > b.actor->busy_ns();  // in all its life: there is no rate yet
  });
  return all;
}

std::string top_view::text(asker& /*ask*/, const screen& on) const {
  table nodes({{"NODE"},
               {"ROLE"},
               {"TERM", align::right},
               {"RECORDS/s", align::right},
               {"COMMIT", align::right},
               {"QUEUE", align::right},
               {"CPU", align::right},
               {"MEMORY", align::right},
               {"DISK FREE", align::right}});
  for (const auto& row : rows_) {
    if (row.silent) {
      nodes.add({row.node, {"silent", tint::red}, "-", "-", "-", "-", "-", "-", "-"});
      continue;
    }
    const auto& raft = row.now.raft;
    const bool leads = raft.role() == "leader";
    nodes.add({row.node,
               {raft.role().empty() ? "-" : raft.role(), leads ? tint::green : tint::plain},
               std::to_string(raft.term()),
               number_text(row.records_per_s(), ""),
               count_text(raft.commit_index()),
               bytes_text(raft.queued_bytes()),
               number_text(row.cpu_percent(), " %"),
               bytes_text(row.now.facts.resident_bytes()),
               bytes_text(row.now.facts.disk_free_bytes())});
  }
  // Two tables with their titles, a line between them, one above and one for the cursor.
  const std::size_t used = rows_.size() + 5;
  const std::size_t room = on.terminal && on.rows > used + 3 ? on.rows - used : 10;
  table actors({{"NODE"},
                {"ID", align::right},
                {"KIND"},
                {"NAME", align::left, true},
                {"MAILBOX", align::right},
                {"MESSAGES/s", align::right},
                {"BUSY", align::right}});
  const auto all = busiest();
  for (std::size_t i = 0; i < std::min(room, all.size()); ++i) {
    const auto& one = all[i];
    actors.add(
        {one.node,
         std::to_string(one.actor->id()),
         printable(one.actor->kind(), on.utf8),
         printable(one.actor->name(), on.utf8),
         {count_text(one.actor->mailbox()), one.actor->mailbox() > 0 ? tint::yellow : tint::plain},
         number_text(one.messages_per_s, ""),
         number_text(one.busy_percent, " %")});
  }
  return nodes.text(on) + "\n" + actors.text(on);
}

boost::json::object top_view::json(asker& ask) const {
  const auto number = [](const std::optional<double>& value) {
    return value ? boost::json::value(*value) : boost::json::value(nullptr);
  };
  boost::json::object whole{{"command", "top"}, {"via", ask.via()}, {"time_ms", ask.now_ms()}};
  auto& nodes = whole["nodes"].emplace_array();
  for (const auto& row : rows_) {
    const auto& raft = row.now.raft;
    nodes.push_back({{"node", row.node},
                     {"silent", row.silent},
                     {"role", raft.role()},
                     {"term", raft.term()},
                     {"records_per_s", number(row.records_per_s())},
                     {"commit_index", raft.commit_index()},
                     {"queued_bytes", raft.queued_bytes()},
                     {"cpu_percent", number(row.cpu_percent())},
                     {"resident_bytes", row.now.facts.resident_bytes()},
                     {"disk_free_bytes", row.now.facts.disk_free_bytes()}});
  }
  auto& actors = whole["actors"].emplace_array();
  for (const auto& one : busiest()) {
    actors.push_back({{"node", one.node},
                      {"id", one.actor->id()},
                      {"kind", one.actor->kind()},
                      {"name", one.actor->name()},
                      {"mailbox", one.actor->mailbox()},
                      {"messages_per_s", number(one.messages_per_s)},
                      {"busy_percent", number(one.busy_percent)}});
  }
  return whole;
}

}  // namespace cairn::console
