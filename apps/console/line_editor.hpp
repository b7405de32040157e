#pragma once
// Lines from a terminal with editing, history and completion: libedit behind a small face.

#include "apps/console/completion.hpp"
#include "apps/console/shell.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace cairn::console {

class line_editor {
public:
  static constexpr int k_history_lines_max = 1'000;
  enum class end : std::uint8_t {
    line,         ///< there is one
    interrupted,  ///< Ctrl-C: what had been typed is dropped
    input,        ///< Ctrl-D on an empty line, or the terminal has gone
  };

  struct options {
    /// Empty: no history is kept. Its folder is made; a file that cannot be written is no error.
    std::filesystem::path history_file;
    word_source known;
    /// Called while it waits; what it returns is printed above the line that is edited.
    std::function<std::string()> notices;
    std::function<std::string()> prompt;
  };

  line_editor(console_io& io, options with);
  ~line_editor();
  line_editor(const line_editor&) = delete;
  line_editor& operator=(const line_editor&) = delete;

  end read(std::string& line);

private:
  struct state;
  std::unique_ptr<state> state_;
};

/// $XDG_STATE_HOME/cairn/console_history, or below ~/.local/state; empty when there is no home.
[[nodiscard]] std::filesystem::path history_path();

}  // namespace cairn::console
