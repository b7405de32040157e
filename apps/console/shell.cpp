#include "apps/console/shell.hpp"

#include "apps/cairn/context.hpp"
#include "apps/console/event_commands.hpp"
#include "apps/console/human.hpp"
#include "apps/console/top.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace cairn::console {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds k_follow_pause{250};
constexpr std::uint64_t k_interval_s_max = 3'600;

milliseconds seconds_of(const std::string& word, std::uint64_t otherwise) {
  return std::chrono::seconds(arguments::number(word, otherwise));
}

bool ends(const std::optional<char>& key) {
  return key && (*key == 'q' || *key == 'Q' || *key == '\x03' || *key == '\x04');
}

/// top and watch draw over themselves while somebody looks, and leave their last picture behind.
class full_screen {
public:
  full_screen(console_io& io, bool wanted) : io_(io), on_(wanted) {
    if (on_) io_.begin_full_screen();
  }
  ~full_screen() {
    if (on_) io_.end_full_screen();
  }
  full_screen(const full_screen&) = delete;
  full_screen& operator=(const full_screen&) = delete;
  void begin_picture() {
    if (on_) io_.out("\033[H\033[J");
  }

private:
  console_io& io_;
  const bool on_;
};

}  // namespace

int exit_code_of(const error& why) {
  switch (why.code) {
    case errc::unavailable:
      return cli::exit_unreachable;
    case errc::outcome_unknown:
      return cli::exit_unknown;
    default:
      return cli::exit_failed;
  }
}

std::string shell::prompt() const {
  const auto via = ask_.via();
  return (via.empty() ? "(nobody)" : via) + "> ";
}

void shell::print_notices() {
  for (const auto& notice : ask_.take_notices()) {
    const auto text = printable(notice, io_.on().utf8);
    io_.err(options_.interactive ? io_.on().paint(tint::cyan, text) + "\n"
                                 : "cairn: " + text + "\n");
  }
}

int shell::complain(const std::string& sentence, int code) {
  const auto text = printable(sentence, io_.on().utf8);
  io_.err(options_.interactive ? io_.on().paint(tint::red, text) + "\n" : "cairn: " + text + "\n");
  return code;
}

void shell::print_json(const boost::json::object& value) {
  io_.out(boost::json::serialize(value) + "\n");
}

int shell::fail(const error& why, const command* what) {
  if (ask_.interrupted()) return cli::exit_interrupted;
  if (options_.json && what != nullptr) {
    auto told = ask_.new_document(what->name);
    auto whole = to_json(told);
    const auto code = to_string(why.code);
    whole["error"] = {{"code", boost::json::string_view(code.data(), code.size())},
                      {"detail", printable(why.detail, true)}};
    print_json(whole);
  }
  return complain(why.detail, exit_code_of(why));
}

int shell::run_line(std::string_view line) {
  const auto words = split_words(line);
  if (!words) return complain(words.error().detail, cli::exit_usage);
  if (words->empty() || words->front().starts_with('#')) return cli::exit_ok;
  const auto name = words->size() == 1 && (words->front() == "exit" || words->front() == "q")
                        ? std::string("quit")
                        : words->front();
  const auto* what = find_command(name);
  if (what == nullptr) return complain(unknown_command_text(words->front()), cli::exit_usage);
  const auto given = parse(*what, {words->begin() + 1, words->end()});
  if (!given) return complain(given.error().detail, cli::exit_usage);
  const int code = run(*what, *given);
  print_notices();
  return code;
}

int shell::run(const command& what, const arguments& given) {
  if (what.name == "help") return run_help(given);
  if (what.name == "quit") {
    done_ = true;
    return cli::exit_ok;
  }
  if (what.name == "top") return run_top(given);
  if (what.name == "watch") return run_watch(given);
  if (what.name == "events" && given.has("--follow")) return run_follow(given);
  return run_once(what, given);
}

int shell::fail_of(const error& why, const command& what) {
  // A word that only the command itself can judge.
  const bool usage = why.code == errc::invalid_argument;
  const int code = fail(why, &what);
  return usage ? static_cast<int>(cli::exit_usage) : code;
}

int shell::run_once(const command& what, const arguments& given) {
  auto learned = what.ask(ask_, given);
  if (!learned) return fail_of(learned.error(), what);
  learned->via = ask_.via();  // another one by now, if the first has died meanwhile
  print_notices();            // that it has, before what the other one says
  if (options_.json) {
    print_json(to_json(*learned));
  } else {
    io_.out(what.print(*learned, given, io_.on()));
  }
  return cli::exit_ok;
}

int shell::run_help(const arguments& given) {
  const auto name = given.word(0);
  const auto* one = name.empty() ? nullptr : find_command(name);
  if (!name.empty() && one == nullptr) {
    return complain(unknown_command_text(name), cli::exit_usage);
  }
  if (options_.json) {
    boost::json::array list;
    for (const auto& what : commands()) {
      if (one != nullptr && &what != one) continue;
      list.push_back({{"name", std::string(what.name)},
                      {"usage", usage_of(what)},
                      {"summary", std::string(what.summary)},
                      {"help", std::string(what.help)}});
    }
    print_json({{"command", "help"}, {"commands", std::move(list)}});
  } else {
    io_.out(one == nullptr ? help_text(io_.on()) : help_text(*one, io_.on()));
  }
  return cli::exit_ok;
}

int shell::run_watch(const arguments& given) {
  const auto interval_s = arguments::number(given.word(0), 0);
  if (interval_s == 0 || interval_s > k_interval_s_max) {
    return complain("watch: N is a number of seconds, 1 to 3600", cli::exit_usage);
  }
  const std::vector<std::string> words(given.words.begin() + 1, given.words.end());
  const auto* what = find_command(words.front());
  if (what == nullptr) return complain(unknown_command_text(words.front()), cli::exit_usage);
  const auto passed_on = parse(*what, {words.begin() + 1, words.end()});
  if (!passed_on) return complain(passed_on.error().detail, cli::exit_usage);
  if (what->ask == nullptr || passed_on->has("--follow")) {
    return complain(fmt::format("watch cannot repeat {}", what->name), cli::exit_usage);
  }
  full_screen picture(io_, io_.has_keys() && !options_.json);
  std::string line;
  for (const auto& word : words)
    line += " " + word;
  while (true) {
    picture.begin_picture();
    if (!options_.json) {
      io_.out(io_.on().paint(tint::dim,
                             fmt::format("every {} s:{}   {}   through {}   q ends", interval_s,
                                         line, time_text(ask_.now_ms()), ask_.via())) +
              "\n");
    }
    const int code = run_once(*what, *passed_on);
    if (code == cli::exit_usage) return code;
    print_notices();
    const auto key = io_.wait_key(std::chrono::seconds(interval_s));
    if (ends(key)) return cli::exit_ok;
    if (ask_.interrupted()) return cli::exit_interrupted;
  }
}

int shell::run_top(const arguments& given) {
  const auto interval = seconds_of(given.word(0), 1);
  if (interval < milliseconds(1) || interval > std::chrono::seconds(k_interval_s_max)) {
    return complain("top: SECONDS is 1 to 3600", cli::exit_usage);
  }
  const bool live = io_.has_keys() && !options_.json;
  top_view view;
  auto failure = view.sample(ask_);
  full_screen picture(io_, live);
  while (true) {
    if (!live) {
      // Rates need two looks.
      if (failure) io_.wait_key(interval);
      if (failure) failure = view.sample(ask_);
      if (!failure) return fail(failure.error(), find_command("top"));
      if (options_.json) {
        print_json(view.json(ask_));
      } else {
        io_.out(view.text(ask_, io_.on()));
      }
      return cli::exit_ok;
    }
    picture.begin_picture();
    io_.out(io_.on().paint(tint::dim,
                           fmt::format("every {}   {}   through {}   q ends",
                                       duration_text(static_cast<std::uint64_t>(interval.count())),
                                       time_text(ask_.now_ms()), ask_.via())) +
            "\n");
    if (failure) {
      io_.out(view.text(ask_, io_.on()));
    } else {
      io_.out(io_.on().paint(tint::red, printable(failure.error().detail, io_.on().utf8)) + "\n");
    }
    print_notices();
    if (ends(io_.wait_key(interval)) || ask_.interrupted()) return cli::exit_ok;
    failure = view.sample(ask_);
  }
}

int shell::run_follow(const arguments& given) {
  auto reader = reader_of(given);
  const auto limit = arguments::number(given.value("--limit"), 10);
  std::uint64_t lost = 0;
  bool first = true;
  while (true) {
    auto events = reader.read(ask_);
    if (ask_.interrupted()) return cli::exit_interrupted;
    if (!events) {
      if (first) return fail_of(events.error(), *find_command("events"));
      print_notices();
    } else {
      // Some of what was before, then all that comes.
      const std::size_t from = first && events->size() > limit ? events->size() - limit : 0;
      for (std::size_t i = from; i < events->size(); ++i) {
        if (options_.json) {
          print_json(event_json((*events)[i]));
        } else {
          io_.out(event_line((*events)[i], io_.on()));
        }
      }
      if (!first && reader.lost() > lost) {
        complain(fmt::format("{} came and went too fast to be shown",
                             count_of(reader.lost() - lost, "event")),
                 0);
      }
      lost = reader.lost();
      first = false;
    }
    print_notices();
    if (ends(io_.wait_key(k_follow_pause))) return cli::exit_ok;
    if (ask_.interrupted()) return cli::exit_interrupted;
  }
}

void add_shell_commands(std::vector<command>& to) {
  to.push_back(
      {"top",
       "live: rates, queues, processor, memory of each node, busiest actors",
       "Drawn anew each second (or SECONDS) until q or Ctrl-C; where nobody looks, or "
       "with -o json, once. RECORDS/s: applied, which readers see. QUEUE: bytes of appends "
       "that wait at the leader. CPU: 100 % is one processor.",
       {{"SECONDS", word_kind::number}},
       {}});
  to.push_back({"watch",
                "repeats a command every N seconds until q or Ctrl-C",
                "For example: watch 2 raft. In a pipe it goes on until it is ended.",
                {{"N", word_kind::number, true}, {"COMMAND", word_kind::command, true, true}},
                {}});
  to.push_back({"help",
                "this list, or what one command shows and takes",
                "With the name of a command: its options, and what its columns mean.",
                {{"COMMAND", word_kind::command}},
                {}});
  to.push_back({"quit", "ends the console (Ctrl-D, too)", "The nodes do not notice.", {}, {}});
}

}  // namespace cairn::console
