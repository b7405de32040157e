#pragma once
// Nodes, actors, logs and metrics that TAB can complete: asked of the linked node, remembered for a
// moment.

#include "apps/console/asker.hpp"
#include "apps/console/commands.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cairn::console {

/// Owner: the console's thread.
class known_words {
public:
  static constexpr std::int64_t k_fresh_ms = 3'000;
  /// A key must not hang: without an answer by then there is nothing to offer.
  static constexpr std::chrono::milliseconds k_timeout{500};

  /// `ask` waits no longer than k_timeout.
  explicit known_words(asker ask) : ask_(std::move(ask)) {}
  [[nodiscard]] std::vector<std::string> of(word_kind kind);

private:
  [[nodiscard]] std::vector<std::string> fetch(word_kind kind);

  struct remembered {
    std::int64_t time_ms = 0;
    std::vector<std::string> words;
  };
  asker ask_;
  std::map<word_kind, remembered> known_;
};

}  // namespace cairn::console
