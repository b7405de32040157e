#include "apps/console/line_editor.hpp"

#include "apps/console/terminal_io.hpp"

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace cairn::console {

struct line_editor::state {
  state(console_io& io_, options with_) : io(io_), with(std::move(with_)) {}

  console_io& io;
  options with;
  EditLine* edit = nullptr;
  History* history = nullptr;
  std::string prompt;
  end ended = end::line;

  static state& of(EditLine* edit) {
    void* mine = nullptr;
    ::el_get(edit, EL_CLIENTDATA, &mine);
    return *static_cast<state*>(mine);
  }

  static char* prompt_of(EditLine* edit) { return of(edit).prompt.data(); }

  void redraw() {
    prompt = with.prompt();
    ::el_set(edit, EL_REFRESH);
  }

  /// Text above the line that is edited, which is drawn again below.
  void print_above(const std::string& text) {
    io.out("\r\033[K" + text);
    redraw();
  }

  /// As a shell expects it: the terminal as it was found while others use it.
  void suspend() {
    ::el_set(edit, EL_PREP_TERM, 0);
    struct sigaction ours {};
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGTSTP, &standard, &ours);
    ::raise(SIGTSTP);
    ::sigaction(SIGTSTP, &ours, nullptr);
    ::el_set(edit, EL_PREP_TERM, 1);
    redraw();
  }

  int read_char(wchar_t* character) {
    constexpr int k_look_again_ms = 100;
    std::mbstate_t conversion{};
    while (true) {
      if (signals().interrupted.load()) {
        ended = signals().terminated.load() ? end::input : end::interrupted;
        return -1;
      }
      if (signals().resized.exchange(false)) {
        ::el_resize(edit);
        redraw();
      }
      if (signals().suspended.exchange(false)) suspend();
      if (const auto said = with.notices(); !said.empty()) print_above(said);
      pollfd input{STDIN_FILENO, POLLIN, 0};
      if (::poll(&input, 1, k_look_again_ms) <= 0) continue;
      char byte = '\0';
      const auto got = ::read(STDIN_FILENO, &byte, 1);
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) {
        ended = end::input;
        return static_cast<int>(got);
      }
      const auto used = std::mbrtowc(character, &byte, 1, &conversion);
      if (used == static_cast<std::size_t>(-2)) continue;  // more of it is to come
      if (used == static_cast<std::size_t>(-1)) {
        conversion = {};
        continue;
      }
      return 1;
    }
  }

  static int read_char_of(EditLine* edit, wchar_t* character) {
    return of(edit).read_char(character);
  }

  static unsigned char complete_of(EditLine* edit, int /*key*/) {
    auto& self = of(edit);
    const auto* line = ::el_line(edit);
    const std::string_view before(line->buffer,
                                  static_cast<std::size_t>(line->cursor - line->buffer));
    const auto found = complete(before, self.with.known);
    if (!found.insert.empty()) {
      return ::el_insertstr(edit, found.insert.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    }
    if (found.candidates.size() < 2) return CC_ERROR;
    self.io.out("\n" + columns_of(found.candidates, self.io.on()));
    return CC_REDISPLAY;
  }

  static std::string columns_of(const std::vector<std::string>& words, const screen& on) {
    std::size_t width = 0;
    for (const auto& word : words)
      width = std::max(width, width_of(word) + 2);
    const auto per_line = std::max<std::size_t>(1, on.bar_columns() / width);
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const bool last = (i + 1) % per_line == 0 || i + 1 == words.size();
      text += words[i] + (last ? "\n" : std::string(width - width_of(words[i]), ' '));
    }
    return text;
  }
};

line_editor::line_editor(console_io& io, options with)
    : state_(std::make_unique<state>(io, std::move(with))) {
  auto& self = *state_;
  HistEvent event{};
  self.history = ::history_init();
  ::history(self.history, &event, H_SETSIZE, k_history_lines_max);
  ::history(self.history, &event, H_SETUNIQUE, 1);
  self.edit = ::el_init("cairn", stdin, stdout, stderr);
  ::el_set(self.edit, EL_CLIENTDATA, &self);
  ::el_set(self.edit, EL_EDITOR, "emacs");
  ::el_set(self.edit, EL_SIGNAL, 0);
  ::el_set(self.edit, EL_PROMPT, state::prompt_of);
  ::el_set(self.edit, EL_HIST, ::history, self.history);
  ::el_set(self.edit, EL_GETCFN, state::read_char_of);
  ::el_set(self.edit, EL_ADDFN, "cairn-complete", "completes a word", state::complete_of);
  ::el_set(self.edit, EL_BIND, "^I", "cairn-complete", nullptr);
  ::el_set(self.edit, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  if (!self.with.history_file.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(self.with.history_file.parent_path(), ignored);
    ::history(self.history, &event, H_LOAD, self.with.history_file.c_str());
  }
}

line_editor::~line_editor() {
  ::el_end(state_->edit);
  ::history_end(state_->history);
}

line_editor::end line_editor::read(std::string& line) {
  auto& self = *state_;
  self.ended = end::line;
  self.prompt = self.with.prompt();
  int count = 0;
  const char* text = ::el_gets(self.edit, &count);
  if (text == nullptr || count <= 0) {
    if (self.ended == end::line) self.ended = end::input;
    ::el_set(self.edit, EL_PREP_TERM, 0);
    self.io.out(self.ended == end::interrupted ? "^C\n" : "\n");
    ::el_reset(self.edit);
    return self.ended;
  }
  line.assign(text, static_cast<std::size_t>(count));
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r'))
    line.pop_back();
  if (line.find_first_not_of(" \t") != std::string::npos) {
    HistEvent event{};
    ::history(self.history, &event, H_ENTER, line.c_str());
    if (!self.with.history_file.empty()) {
      // Each time: a console that is killed has not forgotten.
      ::history(self.history, &event, H_SAVE, self.with.history_file.c_str());
    }
  }
  return end::line;
}

std::filesystem::path history_path() {
  const auto folder = [](const char* variable) -> std::filesystem::path {
    const char* value = std::getenv(variable);
    // The XDG base directory specification: relative paths are to be ignored.
    if (value == nullptr || *value != '/') return {};
    return value;
  };
  if (auto state = folder("XDG_STATE_HOME"); !state.empty()) {
    return state / "cairn" / "console_history";
  }
  auto home = folder("HOME");
  return home.empty() ? home : home / ".local" / "state" / "cairn" / "console_history";
}

}  // namespace cairn::console
