#pragma once
// Where the shell writes to in tests: strings; time passes at once, keys are scripted.

#include "apps/console/shell.hpp"

#include <deque>
#include <functional>
#include <string>

namespace cairn::console {

class fake_io : public console_io {
public:
  void out(std::string_view text) override { output += text; }
  void err(std::string_view text) override { errors += text; }
  screen on() override { return look; }
  bool has_keys() const override { return keys_there; }
  std::optional<char> wait_key(std::chrono::milliseconds /*time*/) override {
    ++waits;
    if (on_wait) on_wait();
    if (keys.empty()) return std::nullopt;
    const char key = keys.front();
    keys.pop_front();
    return key == '\0' ? std::nullopt : std::optional<char>(key);
  }
  void begin_full_screen() override { ++full_screens; }
  void end_full_screen() override { --full_screens; }

  std::string output;
  std::string errors;
  screen look;
  bool keys_there = false;
  std::deque<char> keys;  ///< '\0': none this time
  std::function<void()> on_wait;
  int waits = 0;
  int full_screens = 0;
};

}  // namespace cairn::console
