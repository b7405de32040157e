#pragma once
// Which connection becomes the link when several could: the rules, without sockets or clocks.
//
// Both sides may dial. When both do at once, the dial of the node with the smaller id wins, and
// both sides come to that without another message: the one that has sent its hello and has the
// smaller id refuses the other's, the other one gives its own dial up. A hello from a process that
// we think we are linked to means that it has lost that link (it does not dial while it has one),
// unless the two crossed on the way: so within `settle` after the link was made it is refused,
// later the new one takes the old one's place.

#include "net/peer/hello.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace cairn::net {

class link_table {
public:
  using time_point = std::chrono::steady_clock::time_point;

  struct link {
    std::uint64_t session = 0;
    std::uint64_t incarnation = 0;
    std::string data_id;
    time_point since;
  };

  /// What to do with the first hello of a session from another node.
  struct decision {
    peer_refusal refuse = peer_refusal::none;
    bool give_up_dial = false;  ///< our own dial to that node ends; that node's takes its place
  };

  link_table(std::string self, std::chrono::milliseconds settle)
      : self_(std::move(self)), settle_(settle) {}

  [[nodiscard]] decision judge(const peer_hello& hello, time_point now) const;

  /// Whether a welcome to our dial from `node` may become the link, or a session that `node` has
  /// begun goes first. Only a dial by address alone can find one.
  [[nodiscard]] bool dial_goes_first(const std::string& node) const;

  /// Our dial has sent its hello to `node`, or has ended.
  void dial_begins(const std::string& node) { dialling_.insert(node); }
  void dial_ends(const std::string& node) { dialling_.erase(node); }
  /// `node` has begun a session that is not complete yet, or it has ended.
  void session_begins(const std::string& node, std::uint64_t session) { sessions_[node] = session; }
  void session_ends(const std::string& node, std::uint64_t session);

  void linked(const std::string& node, link made) { links_[node] = std::move(made); }
  /// False: the link to `node` is another one by now, or none.
  bool lost(const std::string& node, std::uint64_t session);
  [[nodiscard]] const link* find(const std::string& node) const;
  /// There is a link to `node`, or it has begun to make one.
  [[nodiscard]] bool busy(const std::string& node) const {
    return links_.count(node) != 0 || sessions_.count(node) != 0;
  }

private:
  std::string self_;
  std::chrono::milliseconds settle_;
  std::set<std::string> dialling_;
  std::map<std::string, std::uint64_t> sessions_;
  std::map<std::string, link> links_;
};

}  // namespace cairn::net
