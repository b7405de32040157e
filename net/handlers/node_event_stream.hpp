#pragma once
// Server-sent events of nodes: what has happened there, as it happens (docs/events.md). One node's,
// or those of all members merged as they come.
//
// Each node is asked for a page of its events at a time, and for the next one only when the client
// has taken what was put out: a slow client costs a page a node here, and nothing there; what the
// node has let go of meanwhile is told as an event `gap`.

#include "net/server/exchange.hpp"
#include "proto/cairn/v1/inspect.pb.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::net {

/// A place in the events of one node. Ids are of a run of it.
struct event_position {
  std::uint64_t boot = 0;
  std::uint64_t id = 0;
};
/// By node id.
using event_positions = std::map<std::string, event_position>;

/// `n1:1f.7,n2:2a.3`: node, run in hex, id. Nothing if `text` is not such a list, or names more
/// than k_positions_max nodes.
inline constexpr std::size_t k_positions_max = 128;
[[nodiscard]] std::optional<event_positions> parse_positions(std::string_view text);
[[nodiscard]] std::string to_text(const event_positions& positions);

/// Kinds that ?kind= may name; they are those of actors/node_events.hpp.
[[nodiscard]] const std::vector<std::string_view>& event_kinds();

/// What ?kind=, ?after= and Last-Event-ID said.
struct event_filter {
  std::set<std::string, std::less<>> kinds;  ///< empty: all
  event_positions after;

  [[nodiscard]] bool takes(const v1::Event& event) const {
    return kinds.empty() || kinds.contains(event.kind());
  }
};

/// One event as a JSON object.
void append_event(std::string& out, const std::string& node, std::uint64_t boot,
                  const v1::Event& event);

class node_event_stream final : public body_stream {
public:
  /// Of the node that x.parameters names, or of all members.
  node_event_stream(exchange& x, event_filter filter);
  ~node_event_stream() override;
  node_event_stream(const node_event_stream&) = delete;
  node_event_stream& operator=(const node_event_stream&) = delete;

  /// The head goes out with the first answer of the node, so that a bad question is answered with a
  /// problem. overloaded: there are as many streams as there may be.
  void start();

  void resume(exchange& x) override;
  void drain(exchange& x) override;

private:
  struct source {
    request_id pending = 0;  // 0: to be asked
    bool met = false;        // has answered once
    bool away = false;       // did not answer the last time; is asked again with the next round
  };

  void ask_members();
  void on_members(const outcome<inspect_answer>& got);
  void ask(const std::string& node);
  void ask_who_is_away();
  void on_page(const std::string& node, const outcome<inspect_answer>& got);
  void take_page(const std::string& node, const v1::EventList& page);
  void on_failure(const std::string& node, const failure& why);
  void begin();
  void gap(const std::string& node, const v1::EventList& page, bool restarted);
  void put_event(std::string_view kind, std::string_view json);
  /// x.pending says whether the session is to call resume().
  void settle();

  exchange& x_;
  backend_port* port_;
  std::size_t* streams_;  // of this gateway thread
  event_filter filter_;
  event_positions at_;
  std::map<std::string, source> sources_;
  request_id members_pending_ = 0;
  bool counted_ = false;
  steady_time last_put_{};
  std::string text_;
};

}  // namespace cairn::net
