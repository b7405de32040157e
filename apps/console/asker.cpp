#include "apps/console/asker.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::console {

namespace {

reply reply_of(const std::string& node, result<v1::InspectAnswer> answer) {
  reply one;
  one.node = node;
  if (!answer) {
    one.failure = answer.error();
    return one;
  }
  one.answer = *std::move(answer);
  if (!one.answer.node().empty()) one.node = one.answer.node();
  return one;
}

}  // namespace

document asker::new_document(std::string_view command) const {
  document made;
  made.command = command;
  made.via = via();
  made.now_ms = now_ms();
  return made;
}

result<v1::InspectAnswer> asker::ask(const std::string& node, const v1::InspectRequest& question) {
  return through_.ask(node, question, options_.timeout);
}

reply asker::ask_one(const std::string& node, const v1::InspectRequest& question) {
  return reply_of(node, through_.ask(node, question, options_.timeout));
}

result<std::vector<asker::member>> asker::members() {
  v1::InspectRequest question;
  question.mutable_members();
  const auto answer = ask({}, question);
  if (!answer) return answer.error();
  std::vector<member> found;
  for (const auto& one : answer->members().members()) {
    if (one.state() == "left") continue;
    found.push_back({one.id(), one.state() == "failed"});
  }
  const auto& self = answer->node();
  const auto is_self = [&](const member& one) { return one.id == self; };
  if (std::none_of(found.begin(), found.end(), is_self)) found.push_back({self, false});
  std::sort(found.begin(), found.end(),
            [](const member& a, const member& b) { return a.id < b.id; });
  return found;
}

std::vector<reply> asker::ask_each(
    const std::vector<std::pair<member, v1::InspectRequest>>& questions) {
  std::vector<asked> all;
  const bool alone = std::all_of(questions.begin(), questions.end(), [&](const auto& one) {
    return one.first.id == questions.front().first.id;
  });
  for (const auto& [whom, question] : questions) {
    const auto most = alone ? options_.timeout : whom.failed ? k_failed_one_max : k_one_of_all_max;
    all.push_back({whom.id, question, std::min(most, options_.timeout)});
  }
  auto answers = through_.ask_each(std::move(all));
  std::vector<reply> replies;
  for (std::size_t i = 0; i < answers.size(); ++i)
    replies.push_back(reply_of(questions[i].first.id, std::move(answers[i])));
  return replies;
}

std::vector<std::vector<reply>> asker::ask_together(
    const std::vector<member>& whom, const std::vector<v1::InspectRequest>& questions) {
  std::vector<std::pair<member, v1::InspectRequest>> all;
  for (const auto& one : whom) {
    for (const auto& question : questions)
      all.emplace_back(one, question);
  }
  auto answers = ask_each(all);
  std::vector<std::vector<reply>> replies(whom.size());
  for (std::size_t i = 0; i < answers.size(); ++i)
    replies[i / questions.size()].push_back(std::move(answers[i]));
  return replies;
}

result<std::vector<reply>> asker::ask_all(const v1::InspectRequest& question) {
  const auto whom = members();
  if (!whom) return whom.error();
  std::vector<reply> replies;
  for (auto& of_one : ask_together(*whom, {question}))
    replies.push_back(std::move(of_one.front()));
  if (interrupted()) return error{errc::unavailable, "interrupted"};
  const auto failed = [](const reply& one) { return one.failure.has_value(); };
  if (!replies.empty() && std::all_of(replies.begin(), replies.end(), failed)) {
    return *replies.front().failure;
  }
  return replies;
}

result<std::vector<reply>> asker::ask_these(const std::string& node,
                                            const v1::InspectRequest& question) {
  if (node.empty()) return ask_all(question);
  auto one = ask_one(node, question);
  if (one.failure) return *one.failure;
  return std::vector<reply>{std::move(one)};
}

}  // namespace cairn::console
