// nodes, members.
#include "apps/console/commands.hpp"
#include "apps/console/human.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::console {

namespace {

using align = table::align;

std::string up_links(const v1::NodeFacts& facts) {
  const auto& links = facts.links();
  const auto up = std::count_if(links.begin(), links.end(), [](const auto& l) { return l.up(); });
  return fmt::format("{}/{}", up, links.size());
}

result<document> ask_nodes(asker& ask, const arguments& given) {
  auto learned = ask.new_document("nodes");
  v1::InspectRequest question;
  question.mutable_node_facts();
  auto replies = ask.ask_these(given.word(0), question);
  if (!replies) return replies.error();
  learned.replies = *std::move(replies);
  return learned;
}

std::string one_node(const reply& of, const document& learned, const screen& on) {
  const auto& facts = of.answer.node_facts();
  const auto clean = [&](const std::string& bytes) { return printable(bytes, on.utf8); };
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{} {}\n", on.paint(tint::bold, fmt::format("{:<12}", name)), value);
  };
  line("node", of.node);
  line("cluster", facts.cluster_id().empty() ? "member of none yet" : clean(facts.cluster_id()));
  line("version", clean(facts.version()));
  line("serves", facts.unready().empty() ? "yes" : "no");
  for (const auto& why : facts.unready())
    line("", clean(why));
  line("started", time_and_age(facts.started_ms(), learned.now_ms));
  line("process", fmt::format("{}, {} threads, {} open files", facts.pid(), facts.threads(),
                              facts.open_files()));
  line("processor", fmt::format("{} used", duration_text(facts.cpu_ns() / 1'000'000)));
  line("memory", bytes_text(facts.resident_bytes()));
  line("disk", fmt::format("{} free of {}, {}", bytes_text(facts.disk_free_bytes()),
                           bytes_text(facts.disk_bytes()), clean(facts.data_dir())));
  line("listens",
       fmt::format("peers {}, HTTP {}, gRPC {}", clean(facts.peer()), clean(facts.http()),
                   facts.grpc().empty() ? "-" : clean(facts.grpc())));
  for (const auto& link : facts.links()) {
    line("link",
         fmt::format("{} ({}) {} since {}", link.node(), clean(link.address()),
                     link.up() ? "up" : "down", time_and_age(link.since_ms(), learned.now_ms)));
  }
  line("consoles", std::to_string(facts.observers()));
  return text;
}

std::string print_nodes(const document& learned, const arguments& given, const screen& on) {
  if (!given.word(0).empty()) return one_node(learned.replies.front(), learned, on);
  table list({{"NODE"},
              {"STATE"},
              {"UP FOR", align::right},
              {"MEMORY", align::right},
              {"DISK FREE", align::right},
              {"LINKS"},
              {"HTTP", align::left, true},
              {"PEER", align::left, true}});
  std::string reasons;
  for (const auto& one : learned.replies) {
    const auto name = one.node + (one.node == learned.via ? "*" : "");
    if (one.failure) {
      list.add({name, {"silent", tint::red}, "-", "-", "-", "-", "-", "-"});
      continue;
    }
    const auto& facts = one.answer.node_facts();
    const bool serves = facts.unready().empty();
    const auto up_ms = facts.now_ms() - facts.started_ms();
    list.add({name,
              serves ? table::cell("serves", tint::green) : table::cell("not ready", tint::yellow),
              duration_text(static_cast<std::uint64_t>(std::max<std::int64_t>(up_ms, 0))),
              bytes_text(facts.resident_bytes()), bytes_text(facts.disk_free_bytes()),
              up_links(facts), printable(facts.http(), on.utf8), printable(facts.peer(), on.utf8)});
    for (const auto& why : facts.unready()) {
      reasons += fmt::format("{} is not ready: {}\n", one.node, printable(why, on.utf8));
    }
  }
  return list.text(on) + reasons + silent_nodes_text(learned, on) +
         on.paint(tint::dim, "* the console looks through this node") + "\n";
}

result<document> ask_members(asker& ask, const arguments& given) {
  auto learned = ask.new_document("members");
  v1::InspectRequest question;
  question.mutable_members();
  auto one = ask.ask_one(given.word(0), question);
  if (one.failure) return *one.failure;
  learned.replies.push_back(std::move(one));
  return learned;
}

tint tint_of(const std::string& state) {
  if (state == "alive") return tint::green;
  if (state == "suspect") return tint::yellow;
  return state == "failed" ? tint::red : tint::dim;
}

std::string print_members(const document& learned, const arguments& /*given*/, const screen& on) {
  const auto& from = learned.replies.front();
  const auto& list = from.answer.members();
  table rows({{"NODE"},
              {"STATE"},
              {"ROLE"},
              {"INC", align::right},
              {"SINCE"},
              {"BY"},
              {"LINK"},
              {"PEER", align::left, true},
              {"ZONE", align::left, true}});
  for (const auto& one : list.members()) {
    const bool leads = one.id() == list.leader();
    const auto zone = printable(one.zone(), on.utf8);
    rows.add({{one.id(), leads ? tint::bold : tint::plain},
              {one.state(), tint_of(one.state())},
              leads                ? "leader"
              : one.role().empty() ? std::string("-")
                                   : one.role(),
              std::to_string(one.incarnation()),
              age_text(one.since_ms(), learned.now_ms),
              one.by().empty() ? std::string("-") : one.by(),
              one.id() == from.node ? std::string("self")
              : one.linked()        ? "up"
                                    : "down",
              printable(one.peer(), on.utf8),
              zone.empty() ? std::string("-") : zone});
  }
  return rows.text(on) +
         on.paint(tint::dim,
                  fmt::format("as {} sees them; cluster {}", from.node,
                              list.cluster_id().empty() ? "not joined" : list.cluster_id())) +
         "\n";
}

}  // namespace

void add_node_commands(std::vector<command>& to) {
  to.push_back({"nodes",
                "every node: does it serve, since when, memory, disk, links",
                "One line a node, or all facts of one. STATE is serves, not ready (the reasons "
                "stand below) or silent (it does not answer). LINKS: how many of its links to "
                "other nodes are up.",
                {{"NODE", word_kind::node}},
                {},
                ask_nodes,
                print_nodes});
  to.push_back({"members",
                "who is a member, alive or failed, since when, who said so",
                "What SWIM says, as the linked node (or NODE) sees it. STATE: alive, suspect, "
                "failed, left. INC: the incarnation, which a member raises to refute a suspicion. "
                "BY: who suspected it or gave it up. LINK: whether the node that was asked is "
                "linked to it.",
                {{"NODE", word_kind::node}},
                {},
                ask_members,
                print_members});
}

}  // namespace cairn::console
