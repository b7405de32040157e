#include "apps/console/asker.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::console {

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

reply asker::ask_within(const std::string& node, const v1::InspectRequest& question,
                        std::chrono::milliseconds deadline) {
  reply one;
  one.node = node;
  auto answer = through_.ask(node, question, std::min(deadline, options_.timeout));
  if (!answer) {
    one.failure = answer.error();
    return one;
  }
  one.answer = *std::move(answer);
  if (!one.answer.node().empty()) one.node = one.answer.node();
  return one;
}

reply asker::ask_one(const std::string& node, const v1::InspectRequest& question) {
  return ask_within(node, question, options_.timeout);
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

result<std::vector<reply>> asker::ask_all(const v1::InspectRequest& question) {
  const auto whom = members();
  if (!whom) return whom.error();
  std::vector<reply> replies;
  for (const auto& one : *whom) {
    if (interrupted()) return error{errc::unavailable, "interrupted"};
    replies.push_back(
        ask_within(one.id, question, one.failed ? k_failed_one_max : k_one_of_all_max));
  }
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
