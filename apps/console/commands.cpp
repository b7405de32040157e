#include "apps/console/commands.hpp"

#include "apps/console/to_json.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <numeric>

namespace cairn::console {

namespace {

error wrong(std::string detail) {
  return {errc::invalid_argument, std::move(detail)};
}

/// As it is printed here, too: "12,345".
std::optional<std::uint64_t> number_in(std::string text) {
  if (text.empty() || text.front() == ',' || text.back() == ',') return std::nullopt;
  std::erase(text, ',');
  std::uint64_t number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

status check_word(word_kind kind, const std::string& what, const std::string& word) {
  if ((kind == word_kind::number || kind == word_kind::actor) && !number_in(word)) {
    return wrong(fmt::format("{} is a number, not \"{}\"", what, word));
  }
  return {};
}

/// How many letters must be changed, added or left out (Wagner and Fischer 1974).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string usage_part(const positional& one) {
  const auto name = fmt::format("{}{}", one.name, one.rest ? "..." : "");
  return one.required ? " " + name : fmt::format(" [{}]", name);
}

}  // namespace

std::string arguments::value(std::string_view option) const {
  const auto found = options.find(option);
  return found == options.end() ? std::string() : found->second;
}

std::uint64_t arguments::number(const std::string& text, std::uint64_t otherwise) {
  return number_in(text).value_or(otherwise);
}

const std::vector<command>& commands() {
  static const std::vector<command> k_commands = [] {
    std::vector<command> all;
    add_explain_command(all);
    add_node_commands(all);
    add_raft_commands(all);
    add_log_commands(all);
    add_actor_commands(all);
    add_event_commands(all);
    add_trace_command(all);
    add_shell_commands(all);
    return all;
  }();
  return k_commands;
}

const command* find_command(std::string_view name) {
  for (const auto& one : commands()) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

std::string usage_of(const command& of) {
  std::string text(of.name);
  for (const auto& one : of.positionals)
    text += usage_part(one);
  for (const auto& one : of.options) {
    text += one.value.empty() ? fmt::format(" [{}]", one.name)
                              : fmt::format(" [{} {}]", one.name, one.value);
  }
  return text;
}

result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && i + 1 < line.size()) {
      word += line[++i];
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != '\0') return wrong(fmt::format("a quote ({}) does not end", quote));
  if (in_word) words.push_back(std::move(word));
  return words;
}

result<arguments> parse(const command& of, const std::vector<std::string>& words) {
  arguments parsed;
  const auto takes_rest = [&] {
    const auto at = parsed.words.size();
    return !of.positionals.empty() && of.positionals.back().rest && at + 1 > of.positionals.size();
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    // What belongs to another command (watch 2 raft --node n1) is that command's.
    const bool others = takes_rest();
    if (!others && word.size() > 1 && word.front() == '-') {
      const auto equals = word.find('=');
      const auto name = word.substr(0, equals);
      const auto known = std::find_if(of.options.begin(), of.options.end(),
                                      [&](const option& one) { return one.name == name; });
      if (known == of.options.end()) {
        return wrong(fmt::format("{} takes no option {}; usage: {}", of.name, name, usage_of(of)));
      }
      std::string value;
      if (known->value.empty()) {
        if (equals != std::string::npos) return wrong(fmt::format("{} takes no value", name));
      } else if (equals != std::string::npos) {
        value = word.substr(equals + 1);
      } else if (i + 1 < words.size()) {
        value = words[++i];
      } else {
        return wrong(fmt::format("{} needs {}", name, known->value));
      }
      const auto checked = check_word(known->kind, std::string(known->name), value);
      if (!known->value.empty() && !checked) return checked.error();
      parsed.options[name] = value;
      continue;
    }
    const auto at = parsed.words.size();
    if (!others && at >= of.positionals.size()) {
      return wrong(fmt::format("\"{}\" is one word too many; usage: {}", word, usage_of(of)));
    }
    if (!others) {
      const auto checked =
          check_word(of.positionals[at].kind, std::string(of.positionals[at].name), word);
      if (!checked) return checked.error();
    }
    parsed.words.push_back(word);
  }
  for (std::size_t i = parsed.words.size(); i < of.positionals.size(); ++i) {
    if (of.positionals[i].required) {
      return wrong(
          fmt::format("{} needs {}; usage: {}", of.name, of.positionals[i].name, usage_of(of)));
    }
  }
  return parsed;
}

std::string help_text(const screen& on) {
  constexpr std::size_t k_usage_columns = 21;
  const auto columns = std::min<std::size_t>(on.bar_columns(), 100);
  std::string list;
  for (const auto& one : commands()) {
    std::string usage(one.name);
    for (const auto& word : one.positionals)
      usage += usage_part(word);
    list += on.paint(tint::bold, fmt::format("{:<{}}", usage, k_usage_columns)) +
            wrapped(one.summary, columns, k_usage_columns, k_usage_columns) + "\n";
  }
  return list +
         "\nhelp COMMAND says what it shows and takes. A good start: explain.\n"
         "TAB completes, arrow up repeats, Ctrl-C ends a command, Ctrl-D the console.\n";
}

std::string help_text(const command& of, const screen& on) {
  const std::size_t columns = std::min<std::size_t>(on.bar_columns(), 100);
  std::string text = fmt::format("{}\n  {}\n\n", on.paint(tint::bold, usage_of(of)), of.summary);
  std::string_view rest = of.help;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    text += "  " + wrapped(rest.substr(0, end), columns, 2, 2) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (!of.options.empty()) text += "\n";
  for (const auto& one : of.options) {
    const auto name =
        one.value.empty() ? std::string(one.name) : fmt::format("{} {}", one.name, one.value);
    text += fmt::format("  {:<18} {}\n", name, wrapped(one.help, columns, 21, 21));
  }
  return text;
}

std::string unknown_command_text(std::string_view name) {
  const command* nearest = nullptr;
  std::size_t nearest_distance = 3;
  for (const auto& one : commands()) {
    const bool begins = name.size() >= 2 && one.name.starts_with(name);
    const auto changes = begins ? 0 : distance(name, one.name);
    if (changes < nearest_distance) {
      nearest = &one;
      nearest_distance = changes;
    }
  }
  const auto shown = cut(printable(name, true), 40, true);
  if (nearest == nullptr) return fmt::format("there is no command \"{}\"; see help", shown);
  return fmt::format("there is no command \"{}\"; did you mean \"{}\"?", shown, nearest->name);
}

boost::json::object to_json(const document& learned) {
  boost::json::object whole;
  whole["command"] = learned.command;
  whole["via"] = learned.via;
  whole["time_ms"] = learned.now_ms;
  for (const auto& [name, value] : learned.extra)
    whole[name] = value;
  auto& answers = whole["answers"].emplace_array();
  for (const auto& one : learned.replies) {
    if (learned.told_in_extra && !one.failure) continue;
    boost::json::object answer;
    if (one.failure) {
      const auto code = to_string(one.failure->code);
      answer["error"] = {{"code", boost::json::string_view(code.data(), code.size())},
                         {"detail", printable(one.failure->detail, true)}};
    } else {
      answer = to_json(one.answer);
      // Of the wire alone.
      answer.erase("id");
      answer.erase("code");
      answer.erase("detail");
    }
    answer["node"] = one.node;
    answers.push_back(std::move(answer));
  }
  return whole;
}

std::string silent_nodes_text(const document& learned, const screen& on) {
  std::string text;
  for (const auto& one : learned.replies) {
    if (!one.failure) continue;
    text += on.paint(tint::yellow, fmt::format("{} does not answer: {}", one.node,
                                               printable(one.failure->detail, on.utf8))) +
            "\n";
  }
  return text;
}

}  // namespace cairn::console
