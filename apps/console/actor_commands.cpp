// tree, actor, mailbox.
#include "apps/console/commands.hpp"
#include "apps/console/human.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace cairn::console {

namespace {

using align = table::align;

/// Of one kind below one parent; more are folded.
constexpr std::size_t k_siblings_shown_max = 20;
/// Of the folded ones so many are shown at each end: the last segment is the one that is written.
constexpr std::size_t k_folded_ends = 2;
constexpr std::size_t k_mailboxes_shown = 20;

result<document> ask_actors(asker& ask, std::string_view name, const std::string& node, bool all) {
  auto learned = ask.new_document(name);
  v1::InspectRequest question;
  question.mutable_actors();
  if (all) {
    auto replies = ask.ask_these(node, question);
    if (!replies) return replies.error();
    learned.replies = *std::move(replies);
    return learned;
  }
  auto one = ask.ask_one(node, question);
  if (one.failure) return *one.failure;
  learned.replies.push_back(std::move(one));
  return learned;
}

result<document> ask_tree(asker& ask, const arguments& given) {
  return ask_actors(ask, "tree", given.word(0), false);
}

/// Draws one node's actors below each other. Parents that are not there count as none, and no
/// actor is drawn twice, whatever the answer says.
class tree_drawer {
public:
  tree_drawer(const v1::ActorList& list, bool all, const screen& on) : all_(all), on_(on) {
    std::set<std::uint64_t> ids;
    for (const auto& one : list.actors())
      ids.insert(one.id());
    for (const auto& one : list.actors()) {
      const bool orphan = !ids.contains(one.parent()) || one.parent() == one.id();
      children_[orphan ? 0 : one.parent()].push_back(&one);
    }
  }

  std::string text() {
    draw_children(0, "", true);
    return std::move(text_);
  }

private:
  std::string label(const v1::ActorState& one) const {
    std::string label = one.kind();
    if (!one.name().empty() && one.name() != one.kind()) label += " " + one.name();
    label = printable(label, on_.utf8);
    label = on_.paint(tint::bold, label) + on_.paint(tint::dim, fmt::format(" #{}", one.id()));
    if (one.mailbox() > 0) {
      label += " " + on_.paint(tint::yellow, fmt::format("mailbox {}", one.mailbox()));
    }
    if (one.restarts() > 0) {
      label += " " + on_.paint(tint::red, fmt::format("restarts {}", one.restarts()));
    }
    return label;
  }

  void line(const std::string& before, const std::string& label, const std::string& state) {
    text_ += before + label;
    const auto used = width_of(before) + width_of(label);
    const auto said = printable(state, on_.utf8);
    if (!said.empty() && (on_.columns == 0 || used + 4 < on_.columns)) {
      text_ += "  " + (on_.columns == 0 ? said : cut(said, on_.columns - used - 2, on_.utf8));
    }
    text_ += "\n";
  }

  void draw_children(std::uint64_t parent, const std::string& before, bool top) {
    const auto found = children_.find(parent);
    if (found == children_.end()) return;
    const auto siblings = std::move(found->second);
    children_.erase(found);
    std::map<std::string, std::size_t> of_kind;
    for (const auto* one : siblings)
      ++of_kind[one->kind()];
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < siblings.size(); ++i) {
      const auto& one = *siblings[i];
      const bool last = i + 1 == siblings.size();
      const auto count = of_kind[one.kind()];
      const auto place = seen[one.kind()]++;
      const auto branch = top ? "" : on_.utf8 ? (last ? "└─ " : "├─ ") : (last ? "`- " : "|- ");
      const auto below = top ? "" : last ? "   " : (on_.utf8 ? "│  " : "|  ");
      if (!all_ && count > k_siblings_shown_max && place >= k_folded_ends &&
          place + k_folded_ends < count) {
        if (place == k_folded_ends) {
          line(before + branch,
               on_.paint(tint::dim, fmt::format("... {} more of {} (tree --all)",
                                                count - 2 * k_folded_ends, one.kind())),
               "");
        }
        continue;
      }
      line(before + branch, label(one), one.state());
      draw_children(one.id(), before + below, false);
    }
  }

  std::map<std::uint64_t, std::vector<const v1::ActorState*>> children_;
  const bool all_;
  const screen& on_;
  std::string text_;
};

std::string print_tree(const document& learned, const arguments& given, const screen& on) {
  const auto& from = learned.replies.front();
  return on.paint(tint::bold, from.node) + "\n" +
         tree_drawer(from.answer.actors(), given.has("--all"), on).text() +
         on.paint(
             tint::dim,
             fmt::format("{}; actor ID says all about one",
                         count_of(static_cast<std::uint64_t>(from.answer.actors().actors_size()),
                                  "actor"))) +
         "\n";
}

result<document> ask_actor(asker& ask, const arguments& given) {
  auto learned = ask.new_document("actor");
  v1::InspectRequest question;
  question.mutable_actors()->set_actor(arguments::number(given.word(0), 0));
  auto one = ask.ask_one(given.word(1), question);
  if (one.failure) return *one.failure;
  if (one.answer.actors().actors().empty()) {
    return error{errc::not_found, fmt::format("{} has no actor {}", one.node, given.word(0))};
  }
  learned.replies.push_back(std::move(one));
  return learned;
}

std::string print_actor(const document& learned, const arguments& /*given*/, const screen& on) {
  const auto& from = learned.replies.front();
  const auto& one = from.answer.actors().actors(0);
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{} {}\n", on.paint(tint::bold, fmt::format("{:<10}", name)), value);
  };
  line("actor", fmt::format("{} on {}", one.id(), from.node));
  line("kind", printable(one.kind(), on.utf8));
  line("name", printable(one.name(), on.utf8));
  line("parent", one.parent() == 0 ? "none" : std::to_string(one.parent()));
  line("state", printable(one.state(), on.utf8));
  line("mailbox", fmt::format("{} waiting", count_of(one.mailbox(), "message")));
  line("handled", count_of(one.processed(), "message"));
  if (one.busy_ns() > 0 && one.processed() > 0) {
    line("busy",
         fmt::format("{} in handlers, {} a message", duration_text(one.busy_ns() / 1'000'000),
                     short_time_text(one.busy_ns() / one.processed())));
  }
  line("restarts", std::to_string(one.restarts()));
  for (int i = 0; i < one.events_size(); ++i) {
    line(i == 0 ? "events" : "", printable(one.events(i), on.utf8));
  }
  return text;
}

result<document> ask_mailbox(asker& ask, const arguments& given) {
  return ask_actors(ask, "mailbox", given.word(0), true);
}

std::string print_mailbox(const document& learned, const arguments& given, const screen& on) {
  struct row {
    std::string node;
    const v1::ActorState* actor;
  };
  std::vector<row> rows;
  for (const auto& from : learned.replies) {
    for (const auto& one : from.answer.actors().actors())
      rows.push_back({from.node, &one});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const row& a, const row& b) {
    if (a.actor->mailbox() != b.actor->mailbox()) return a.actor->mailbox() > b.actor->mailbox();
    if (a.actor->busy_ns() != b.actor->busy_ns()) return a.actor->busy_ns() > b.actor->busy_ns();
    return a.actor->processed() > b.actor->processed();
  });
  const auto limit = arguments::number(given.value("--limit"), k_mailboxes_shown);
  table list({{"NODE"},
              {"ID", align::right},
              {"KIND"},
              {"NAME", align::left, true},
              {"MAILBOX", align::right},
              {"HANDLED", align::right},
              {"BUSY", align::right}});
  for (std::size_t i = 0; i < std::min<std::size_t>(rows.size(), limit); ++i) {
    const auto& one = *rows[i].actor;
    list.add({rows[i].node,
              std::to_string(one.id()),
              printable(one.kind(), on.utf8),
              printable(one.name(), on.utf8),
              {count_text(one.mailbox()), one.mailbox() > 0 ? tint::yellow : tint::plain},
              count_text(one.processed()),
              one.busy_ns() == 0 ? "-" : duration_text(one.busy_ns() / 1'000'000)});
  }
  std::string rest;
  if (rows.size() > limit) {
    rest =
        on.paint(tint::dim, fmt::format("and {} more; --limit N shows more", rows.size() - limit)) +
        "\n";
  }
  return list.text(on) + rest + silent_nodes_text(learned, on);
}

}  // namespace

void add_actor_commands(std::vector<command>& to) {
  to.push_back({"tree",
                "the supervision tree of a node's actors",
                "Who started and restarts whom. Behind each: its number (for actor), what waits in "
                "its mailbox, how often it was restarted, and its state in a line. More than 20 of "
                "a kind below one parent (segments, sessions) are folded.",
                {{"NODE", word_kind::node}},
                {{"--all", "", word_kind::text, "folds nothing"}},
                ask_tree,
                print_tree});
  to.push_back({"actor",
                "all that one actor says about itself, with its last events",
                "ID is the number that tree and mailbox show; it means something on one node, the "
                "linked one unless NODE is named.",
                {{"ID", word_kind::actor, true}, {"NODE", word_kind::node}},
                {},
                ask_actor,
                print_actor});
  to.push_back({"mailbox",
                "deepest mailbox first, over all nodes",
                "MAILBOX: messages that wait now. HANDLED and BUSY: messages, and time spent in "
                "their handlers (- where it is not measured), since the actor started. Of equal "
                "ones the one that has done most comes first.",
                {{"NODE", word_kind::node}},
                {{"--limit", "N", word_kind::number, "shows so many (20)"}},
                ask_mailbox,
                print_mailbox});
}

}  // namespace cairn::console
