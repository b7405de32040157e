#include "tests/unit/raft/script_file.hpp"

#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace cairn::testing {
namespace {

constexpr std::string_view k_separator = "----";
// More than any group or log of a script needs: what is beyond it is a slip of the pen.
constexpr std::uint64_t k_list_max = 1000;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

error at_line(std::string_view name, std::size_t line, std::string_view what) {
  return {errc::invalid_argument, fmt::format("{}:{}: {}", name, line, what)};
}

bool is_comment(std::string_view line) {
  return line.starts_with("#");
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(separator); end != std::string_view::npos;
       end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

}  // namespace

result<script_file> parse_script(std::string_view name, std::string_view text) {
  const std::vector<std::string> lines = lines_of(text);
  script_file file;
  script_block block;
  bool expecting = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (expecting && !line.empty()) {
      block.expected += line + "\n";
    } else if (expecting) {
      file.blocks.push_back(std::exchange(block, {}));
      expecting = false;
    } else if (line == k_separator) {
      if (block.commands.empty()) return at_line(name, i + 1, "\"----\" without a command");
      block.expected_line = i + 2;
      expecting = true;
    } else if (line.empty() && !block.commands.empty()) {
      return at_line(name, i + 1, "commands without \"----\"");
    } else if (line.empty() || is_comment(line)) {
      (block.commands.empty() ? block.before : block.lines).push_back(line);
    } else {
      block.lines.push_back(line);
      block.commands.push_back({i + 1, line});
    }
  }
  if (expecting) file.blocks.push_back(std::exchange(block, {}));
  if (!block.commands.empty()) return at_line(name, lines.size(), "commands without \"----\"");
  if (file.blocks.empty()) return at_line(name, lines.size(), "there is no command");
  file.after = std::move(block.before);
  while (!file.after.empty() && file.after.back().empty())
    file.after.pop_back();
  return file;
}

std::string render(const script_file& file) {
  std::string text;
  for (const script_block& block : file.blocks) {
    if (!text.empty()) text += "\n";
    for (const std::string& line : block.before)
      text += line + "\n";
    for (const std::string& line : block.lines)
      text += line + "\n";
    text += fmt::format("{}\n{}", k_separator, block.expected);
  }
  if (!file.after.empty()) text += "\n";
  for (const std::string& line : file.after)
    text += line + "\n";
  return text;
}

script_args::script_args(std::string_view line) {
  for (const std::string_view part : split(line, ' ')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    if (command_.empty()) {
      command_ = part;
    } else if (equals == std::string_view::npos) {
      words_.emplace_back(part);
    } else if (!options_.emplace(part.substr(0, equals), part.substr(equals + 1)).second) {
      fail(fmt::format("\"{}\" is given twice", part.substr(0, equals)));
    }
  }
}

void script_args::fail(std::string text) {
  if (error_.empty()) error_ = std::move(text);
}

std::string script_args::word(std::string_view what) {
  if (words_.empty()) {
    fail(fmt::format("{}: {} is missing", command_, what));
    return {};
  }
  std::string taken = std::move(words_.front());
  words_.erase(words_.begin());
  return taken;
}

bool script_args::flag(std::string_view text) {
  if (words_.empty() || words_.front() != text) return false;
  words_.erase(words_.begin());
  return true;
}

std::uint64_t script_args::parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail(fmt::format("{}: \"{}\" is no number", command_, text));
    return 0;
  }
  return value;
}

std::vector<std::uint64_t> script_args::parse_numbers(std::string_view text) {
  std::vector<std::uint64_t> numbers;
  for (const std::string_view part : split(text, ',')) {
    const std::size_t dash = part.find('-');
    const std::uint64_t first = parse_number(part.substr(0, dash));
    const std::uint64_t last =
        dash == std::string_view::npos ? first : parse_number(part.substr(dash + 1));
    if (last < first || last - first >= k_list_max) {
      fail(fmt::format("{}: \"{}\" is no range", command_, part));
      return {};
    }
    for (std::uint64_t n = first; n <= last; ++n)
      numbers.push_back(n);
  }
  return numbers;
}

std::uint64_t script_args::number(std::string_view what) {
  const std::string text = word(what);
  return error_.empty() ? parse_number(text) : 0;
}

std::vector<std::uint64_t> script_args::numbers(std::string_view what) {
  const std::string text = word(what);
  return error_.empty() ? parse_numbers(text) : std::vector<std::uint64_t>();
}

std::optional<std::string> script_args::option(std::string_view name) {
  const auto found = options_.find(name);
  if (found == options_.end()) return std::nullopt;
  std::string value = std::move(found->second);
  options_.erase(found);
  return value;
}

std::uint64_t script_args::number_option(std::string_view name, std::uint64_t otherwise) {
  const std::optional<std::string> text = option(name);
  return text ? parse_number(*text) : otherwise;
}

std::vector<std::uint64_t> script_args::numbers_option(std::string_view name) {
  const std::optional<std::string> text = option(name);
  return text ? parse_numbers(*text) : std::vector<std::uint64_t>();
}

std::vector<std::uint64_t> script_args::repeated_option(std::string_view name) {
  const std::optional<std::string> text = option(name);
  std::vector<std::uint64_t> numbers;
  if (!text) return numbers;
  for (const std::string_view part : split(*text, ',')) {
    const std::size_t times = part.find('x');
    const std::uint64_t value = parse_number(part.substr(0, times));
    const std::uint64_t count =
        times == std::string_view::npos ? 1 : parse_number(part.substr(times + 1));
    if (count > k_list_max) fail(fmt::format("{}: \"{}\" is too much", command_, part));
    if (!error_.empty()) return {};
    numbers.insert(numbers.end(), count, value);
  }
  return numbers;
}

bool script_args::all_read() {
  if (!words_.empty()) fail(fmt::format("{}: \"{}\" is too much", command_, words_.front()));
  if (!options_.empty()) {
    fail(fmt::format("{}: there is no option \"{}\"", command_, options_.begin()->first));
  }
  return error_.empty();
}

}  // namespace cairn::testing
