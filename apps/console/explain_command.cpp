// explain: gathers what explain() needs, and prints what it says.
#include "apps/console/commands.hpp"
#include "apps/console/event_commands.hpp"
#include "apps/console/explain.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace cairn::console {

namespace {

/// Of each node the newest events.
constexpr std::size_t k_events_kept = 200;

/// Facts, replica and log of a node, in this order: look_at() takes the answers.
std::vector<v1::InspectRequest> questions_about(const std::string& log) {
  v1::InspectRequest question;
  question.set_log(log);
  std::vector<v1::InspectRequest> all(3, question);
  all[0].mutable_node_facts();
  all[1].mutable_raft();
  all[2].mutable_log_state();
  return all;
}

node_view look_at(asker& ask, const std::string& node, std::vector<reply> said) {
  node_view view;
  view.node = node;
  auto& facts = said[0];
  auto& raft = said[1];
  auto& state = said[2];
  if (facts.failure) {
    view.silent = facts.failure;
    return view;
  }
  view.facts = std::move(*facts.answer.mutable_node_facts());
  if (raft.failure) {
    view.no_raft = raft.failure;
  } else {
    view.raft = std::move(*raft.answer.mutable_raft());
  }
  if (!state.failure) view.log = std::move(*state.answer.mutable_log_state());
  event_reader reader(node, "");
  if (auto events = reader.read(ask)) {
    const auto skipped = events->size() > k_events_kept ? events->size() - k_events_kept : 0;
    for (std::size_t i = skipped; i < events->size(); ++i) {
      view.events.push_back(std::move((*events)[i].event));
    }
  }
  return view;
}

result<situation> look(asker& ask, const std::string& log) {
  situation seen;
  if (!log.empty()) seen.log = log;
  v1::InspectRequest question;
  question.mutable_members();
  auto members = ask.ask_one({}, question);
  if (members.failure) return *members.failure;
  seen.members = std::move(*members.answer.mutable_members());
  const auto whom = ask.members();
  if (!whom) return whom.error();
  auto said = ask.ask_together(*whom, questions_about(log));
  for (std::size_t i = 0; i < whom->size(); ++i) {
    if (ask.interrupted()) return error{errc::unavailable, "interrupted"};
    seen.nodes.push_back(look_at(ask, (*whom)[i].id, std::move(said[i])));
  }
  seen.via = ask.via();
  seen.now_ms = ask.now_ms();
  return seen;
}

std::string_view weight_name(weight how) {
  switch (how) {
    case weight::good:
      return "good";
    case weight::note:
      return "note";
    case weight::bad:
      return "bad";
  }
  return "note";
}

result<document> ask_explain(asker& ask, const arguments& given) {
  const auto topic = given.word(0);
  if (!topic.empty() &&
      std::find(std::begin(k_topics), std::end(k_topics), topic) == std::end(k_topics)) {
    return error{errc::invalid_argument,
                 fmt::format("there is nothing to explain about \"{}\"; topics: leader, election, "
                             "replicas, writes, nodes",
                             topic)};
  }
  const auto seen = look(ask, given.value("--log"));
  if (!seen) return seen.error();
  auto learned = ask.new_document("explain");
  auto& list = learned.extra["findings"].emplace_array();
  for (const auto& one : explain(*seen)) {
    if (!topic.empty() && one.topic != topic) continue;
    const auto how = weight_name(one.how);
    list.push_back({{"topic", boost::json::string_view(one.topic.data(), one.topic.size())},
                    {"weight", boost::json::string_view(how.data(), how.size())},
                    {"text", printable(one.text, true)}});
  }
  return learned;
}

std::string title_of(std::string_view topic) {
  if (topic == k_topic_leader) return "Who leads";
  if (topic == k_topic_election) return "The last election";
  if (topic == k_topic_replicas) return "Replicas";
  if (topic == k_topic_writes) return "Writes";
  return "What else is wrong";
}

std::string print_explain(const document& learned, const arguments& given, const screen& on) {
  const auto& findings = learned.extra.at("findings").as_array();
  const auto wrong = std::count_if(findings.begin(), findings.end(), [](const auto& one) {
    return one.as_object().at("weight").as_string() == "bad";
  });
  std::string text;
  if (given.word(0).empty()) {
    text = wrong == 0 ? on.paint(tint::green, "Nothing is wrong.") + "\n"
                      : on.paint(tint::red, "What is wrong is marked with !") + "\n";
  }
  std::string topic;
  for (const auto& value : findings) {
    const auto& one = value.as_object();
    const auto member = [&](const char* name) {
      const auto& found = one.at(name).as_string();
      return std::string(found.data(), found.size());
    };
    if (member("topic") != topic) {
      topic = member("topic");
      text += on.paint(tint::bold, title_of(topic)) + "\n";
    }
    const auto how = member("weight");
    const auto colour = how == "bad" ? tint::red : how == "good" ? tint::green : tint::plain;
    const auto said = printable(member("text"), on.utf8);
    text += (how == "bad" ? "! " : "  ") + on.paint(colour, wrapped(said, on.columns, 4, 2)) + "\n";
  }
  return text.empty() ? "nothing is wrong\n" : text;
}

}  // namespace

void add_explain_command(std::vector<command>& to) {
  to.push_back({"explain",
                "in sentences: who leads and why, who is behind, who refuses writes, and why",
                "Asks all nodes and puts their answers together. TOPIC picks a part: leader (who "
                "leads and since when, or why nobody does), election (why the last one was), "
                "replicas (who is behind and why), writes (who refuses appends and why), nodes "
                "(what else is wrong).",
                {{"TOPIC", word_kind::topic}},
                {{"--log", "LOG", word_kind::log, "another log than default"}},
                ask_explain,
                print_explain});
}

}  // namespace cairn::console
