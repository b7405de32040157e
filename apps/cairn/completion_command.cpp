// Completion in shells. The shells' scripts are a few lines that ask this very program, so that
// nothing has to be kept in step with the commands and options that there are.
#include "apps/cairn/commands.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

namespace cairn::cli {

namespace {

constexpr std::string_view k_bash = R"(# bash completion for cairn
_cairn() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" complete-words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _cairn cairn
)";

constexpr std::string_view k_zsh = R"(#compdef cairn
_cairn() {
  local -a found
  found=("${(@f)$("${words[1]}" complete-words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _cairn cairn
)";

constexpr std::string_view k_fish = R"(# fish completion for cairn
function __cairn_words
  set -l found (cairn complete-words (commandline -opc)[2..] (commandline -ct) 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c cairn -f -a '(__cairn_words)'
)";

// What an option or operand takes, if it is one of a few words: "TEXT:{a,b,c}" in its help.
std::vector<std::string> words_for(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto begin = type.find('{');
  const auto end = type.find('}', begin);
  std::vector<std::string> words;
  if (begin == std::string::npos || end == std::string::npos) return words;
  for (auto at = begin + 1; at < end;) {
    const auto comma = std::min(type.find(',', at), end);
    words.push_back(type.substr(at, comma - at));
    at = comma + 1;
  }
  return words;
}

// The option that takes its value from the word behind `word`; null: it does not.
const CLI::Option* waits_for_value(const CLI::App& root, const CLI::App& app,
                                   const std::string& word) {
  if (!word.starts_with('-') || word.find('=') != std::string::npos) return nullptr;
  const CLI::Option* option = app.get_option_no_throw(word);
  if (option == nullptr) option = root.get_option_no_throw(word);
  return option != nullptr && option->get_items_expected_max() > 0 ? option : nullptr;
}

}  // namespace

std::vector<std::string> completions(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App* app = &root;
  const CLI::Option* waiting = nullptr;
  const std::string current = words.empty() ? "" : words.back();
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (waiting != nullptr) {
      waiting = nullptr;
    } else if (words[i].starts_with('-')) {
      waiting = waits_for_value(root, *app, words[i]);
    } else {
      for (const CLI::App* below : app->get_subcommands({})) {
        if (below->get_name() != words[i]) continue;
        app = below;
        break;
      }
    }
  }
  std::vector<std::string> found;
  if (waiting != nullptr) {
    found = words_for(*waiting);
  } else if (current.starts_with('-')) {
    for (const CLI::App* of : {app, &root}) {
      for (const CLI::Option* option : of->get_options())
        for (const std::string& name : option->get_lnames())
          found.push_back("--" + name);
    }
  } else {
    for (const CLI::App* below : app->get_subcommands({}))
      found.push_back(below->get_name());
    if (words.size() <= 1) found.emplace_back("help");  // main() turns it into --help
    for (const CLI::Option* option : app->get_options()) {
      if (!option->get_positional()) continue;
      for (std::string& word : words_for(*option))
        found.push_back(std::move(word));
    }
  }
  std::erase_if(found, [&](const std::string& word) { return !word.starts_with(current); });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void add_completion_command(CLI::App& app, const global_options&, int& code) {
  auto shell = std::make_shared<std::string>();
  auto* command = app.add_subcommand("completion", "Print completion of commands for a shell");
  command->add_option("SHELL", *shell, "For which")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "Examples:\n"
      "  source <(cairn completion bash)                     # now; for good, in ~/.bashrc\n"
      "  cairn completion zsh > ~/.zfunc/_cairn              # with ~/.zfunc in fpath\n"
      "  cairn completion fish > ~/.config/fish/completions/cairn.fish\n");
  command->callback([shell, &code] {
    fmt::print("{}", *shell == "bash" ? k_bash : *shell == "zsh" ? k_zsh : k_fish);
    code = exit_ok;
  });
}

}  // namespace cairn::cli
