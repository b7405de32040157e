#pragma once
// What `events` and `events --follow` share.

#include "apps/console/asker.hpp"
#include "apps/console/commands.hpp"
#include "apps/console/screen.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::console {

/// Those that nodes tell (actors/node_events.hpp).
inline constexpr std::array<std::string_view, 11> k_event_kinds = {
    "node",    "election",     "leader", "membership", "reachability", "link",
    "segment", "backpressure", "disk",   "fault",      "recorder"};

struct located_event {
  std::string node;
  v1::Event event;
};

/// Asks nodes for what is new since it was last asked. An end of a node's life (another boot) and
/// events that were lost are told, too.
class event_reader {
public:
  /// `node` empty: every member. `kinds`: some of k_event_kinds, with commas between; empty: all.
  event_reader(std::string node, std::string_view kinds);

  /// In the order of their times. Fails when nobody answers, and with invalid_argument if there is
  /// no such kind.
  [[nodiscard]] result<std::vector<located_event>> read(asker& ask);
  /// What is usual of segments is counted, and not told.
  void leave_out_segments() { without_segments_ = true; }
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }
  /// So many events came and went before they could be read.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  /// Those that gave no answer the last time, and why.
  [[nodiscard]] const std::vector<reply>& silent() const { return silent_; }

private:
  struct cursor {
    std::uint64_t boot = 0;
    std::uint64_t after = 0;
  };
  void read_pages(asker& ask, std::vector<asker::member> whom, std::vector<located_event>& into);
  /// @returns true if there may be more at this node.
  bool take(cursor& at, reply one, std::vector<located_event>& into);

  std::string node_;
  std::set<std::string, std::less<>> kinds_;  // empty: all
  std::map<std::string, cursor> cursors_;
  std::vector<reply> silent_;
  std::uint64_t lost_ = 0;
  std::uint64_t left_out_ = 0;
  bool without_segments_ = false;
};

/// As the options of `events` say.
[[nodiscard]] event_reader reader_of(const arguments& given);

/// "07:01:02.123  n2  leader  n2 leads default in term 3", wrapped. With a date when `dated`.
[[nodiscard]] std::string event_line(const located_event& one, const screen& on);
[[nodiscard]] boost::json::object event_json(const located_event& one);

}  // namespace cairn::console
