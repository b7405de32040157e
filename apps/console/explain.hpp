#pragma once
// Why things are as they are, in sentences: a pure function of what the nodes answered. Each
// sentence names what it rests on (who said it, when) and, where something is wrong, what to do.

#include "proto/cairn/v1/inspect.pb.h"
#include "storage/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn::console {

/// What one node said of itself. Without `silent` all but `log` is there.
struct node_view {
  std::string node;
  std::optional<error> silent;  ///< why it said nothing
  v1::NodeFacts facts;
  v1::RaftState raft;
  std::optional<error> no_raft;  ///< it answers, but takes no part in the log
  std::optional<v1::LogState> log;
  std::vector<v1::Event> events;  ///< the newest, ascending
};

struct situation {
  std::string log = "default";
  std::string via;
  std::int64_t now_ms = 0;
  v1::MemberList members;        ///< as `via` sees them
  std::vector<node_view> nodes;  ///< of every member, by name
};

/// False: its leader has not learned yet what it holds, so 0 stands there.
[[nodiscard]] inline bool match_is_known(const v1::RaftPeer& peer) {
  return peer.match_index() > 0 || peer.state() == "replicate";
}

enum class weight : std::uint8_t { good, note, bad };

struct finding {
  std::string_view topic;  ///< one of k_topics
  weight how = weight::good;
  std::string text;  ///< a sentence or two
};

inline constexpr std::string_view k_topic_leader = "leader";
inline constexpr std::string_view k_topic_election = "election";
inline constexpr std::string_view k_topic_replicas = "replicas";
inline constexpr std::string_view k_topic_writes = "writes";
inline constexpr std::string_view k_topic_nodes = "nodes";
inline constexpr std::string_view k_topics[] = {k_topic_leader, k_topic_election, k_topic_replicas,
                                                k_topic_writes, k_topic_nodes};

/// In the order of k_topics; each topic has at least one sentence, but `nodes`, which has none when
/// nothing is wrong.
[[nodiscard]] std::vector<finding> explain(const situation& seen);

/// Who leads, as far as the answers tell: the leader of the highest term. Null: nobody says so of
/// itself.
[[nodiscard]] const node_view* leader_in(const situation& seen);
/// Null: there is none of this name.
[[nodiscard]] const node_view* node_in(const situation& seen, std::string_view node);
/// SWIM's record of it; null: there is none.
[[nodiscard]] const v1::MemberState* member_in(const situation& seen, std::string_view node);

// Of explain(), a file each.
void explain_leader(const situation& seen, std::vector<finding>& into);
void explain_election(const situation& seen, std::vector<finding>& into);
void explain_replicas(const situation& seen, std::vector<finding>& into);
void explain_writes(const situation& seen, std::vector<finding>& into);
void explain_nodes(const situation& seen, std::vector<finding>& into);

/// "n1", "n1 and n2", "n1, n2 and n3".
[[nodiscard]] std::string names_text(const std::vector<std::string>& names);
/// "it failed 3 min ago, says n3", "it does not answer": what is known of a node that is not there.
[[nodiscard]] std::string absence_text(const situation& seen, std::string_view node);

}  // namespace cairn::console
