#pragma once
// What `events` and `events --follow` share.

#include "apps/console/asker.hpp"
#include "apps/console/screen.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace cairn::console {

struct located_event {
  std::string node;
  v1::Event event;
};

/// Asks nodes for what is new since it was last asked. An end of a node's life (another boot) and
/// events that were lost are told, too.
class event_reader {
public:
  /// `node` empty: every member. `kind` empty: all.
  event_reader(std::string node, std::string kind)
      : node_(std::move(node)), kind_(std::move(kind)) {}

  /// In the order of their times. Fails only when nobody answers.
  [[nodiscard]] result<std::vector<located_event>> read(asker& ask);
  /// So many events came and went before they could be read.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  /// Those that gave no answer the last time, and why.
  [[nodiscard]] const std::vector<reply>& silent() const { return silent_; }

private:
  struct cursor {
    std::uint64_t boot = 0;
    std::uint64_t after = 0;
  };
  /// What is new at one node, page by page.
  void read_one(asker& ask, const std::string& node, std::vector<located_event>& into);

  std::string node_;
  std::string kind_;
  std::map<std::string, cursor> cursors_;
  std::vector<reply> silent_;
  std::uint64_t lost_ = 0;
};

/// "07:01:02.123  n2  leader  n2 leads default in term 3", wrapped. With a date when `dated`.
[[nodiscard]] std::string event_line(const located_event& one, const screen& on);
[[nodiscard]] boost::json::object event_json(const located_event& one);

}  // namespace cairn::console
