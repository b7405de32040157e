#include "apps/console/completion.hpp"

#include "apps/console/event_commands.hpp"
#include "apps/console/explain.hpp"

#include <algorithm>
#include <iterator>

namespace cairn::console {

namespace {

std::vector<std::string> words_of(word_kind kind, const word_source& known) {
  std::vector<std::string> words;
  if (kind == word_kind::command) {
    for (const auto& one : commands())
      words.emplace_back(one.name);
  } else if (kind == word_kind::topic) {
    words.assign(std::begin(k_topics), std::end(k_topics));
  } else if (kind == word_kind::event_kind) {
    words.assign(k_event_kinds.begin(), k_event_kinds.end());
    std::sort(words.begin(), words.end());
  } else if (kind != word_kind::text && kind != word_kind::number) {
    words = known(kind);
  }
  return words;
}

/// What may stand where the words `before` a command's arguments end.
std::vector<std::string> expected_after(const command& of, const std::vector<std::string>& before,
                                        bool hyphen, const word_source& known) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto& word = before[i];
    const auto found = std::find_if(of.options.begin(), of.options.end(),
                                    [&](const option& one) { return one.name == word; });
    if (found == of.options.end()) {
      const bool rest = at < of.positionals.size() && of.positionals[at].rest;
      if (rest) {
        // The words of another command, which watch repeats.
        const auto* other = find_command(word);
        if (other == nullptr) return {};
        return expected_after(*other,
                              {before.begin() + static_cast<std::ptrdiff_t>(i) + 1, before.end()},
                              hyphen, known);
      }
      ++at;
    } else if (!found->value.empty()) {
      if (i + 1 == before.size()) return words_of(found->kind, known);
      ++i;
    }
  }
  if (hyphen) {
    std::vector<std::string> names;
    for (const auto& one : of.options)
      names.emplace_back(one.name);
    return names;
  }
  return at < of.positionals.size() ? words_of(of.positionals[at].kind, known)
                                    : std::vector<std::string>();
}

}  // namespace

completion complete(std::string_view before, const word_source& known) {
  completion found;
  auto words = split_words(before);
  if (!words) return found;
  std::string begun;
  if (!before.empty() && before.back() != ' ' && before.back() != '\t' && !words->empty()) {
    begun = words->back();
    words->pop_back();
  }
  std::vector<std::string> all;
  if (words->empty()) {
    all = words_of(word_kind::command, known);
  } else if (const auto* of = find_command(words->front())) {
    words->erase(words->begin());
    all = expected_after(*of, *words, begun.starts_with('-'), known);
  }
  for (auto& one : all) {
    if (one.starts_with(begun)) found.candidates.push_back(std::move(one));
  }
  std::sort(found.candidates.begin(), found.candidates.end());
  found.candidates.erase(std::unique(found.candidates.begin(), found.candidates.end()),
                         found.candidates.end());
  if (found.candidates.empty()) return found;
  // Sorted: what the first and the last have in common, all have.
  const auto& first = found.candidates.front();
  const auto& last = found.candidates.back();
  const auto [end, _] = std::mismatch(first.begin(), first.end(), last.begin(), last.end());
  const auto common = std::string(first.begin(), end);
  found.insert = common.substr(begun.size());
  if (found.candidates.size() == 1) found.insert += ' ';
  return found;
}

}  // namespace cairn::console
