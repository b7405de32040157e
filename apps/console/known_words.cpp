#include "apps/console/known_words.hpp"

namespace cairn::console {

std::vector<std::string> known_words::of(word_kind kind) {
  auto& known = known_[kind];
  const auto now_ms = ask_.now_ms();
  if (known.time_ms == 0 || now_ms - known.time_ms > k_fresh_ms || now_ms < known.time_ms) {
    known = {now_ms, fetch(kind)};
  }
  return known.words;
}

std::vector<std::string> known_words::fetch(word_kind kind) {
  std::vector<std::string> words;
  v1::InspectRequest question;
  switch (kind) {
    case word_kind::node:
      if (const auto members = ask_.members()) {
        for (const auto& one : *members)
          words.push_back(one.id);
      }
      break;
    case word_kind::actor:
      question.mutable_actors();
      if (const auto answer = ask_.ask({}, question)) {
        for (const auto& one : answer->actors().actors()) {
          words.push_back(std::to_string(one.id()));
        }
      }
      break;
    case word_kind::metric:
      question.mutable_metrics();
      if (const auto answer = ask_.ask({}, question)) {
        for (const auto& one : answer->metrics().families())
          words.push_back(one.name());
      }
      break;
    case word_kind::log:
      question.mutable_raft();
      if (const auto answer = ask_.ask({}, question)) words.push_back(answer->raft().log());
      break;
    default:
      break;
  }
  return words;
}

}  // namespace cairn::console
