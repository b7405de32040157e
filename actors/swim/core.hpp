#pragma once
// Who is there? SWIM with suspicion (SWIM 3 and 4) and Lifeguard's local health. Pure: no clock,
// thread, socket or random device; the driver tells the time, carries messages and asks back when
// next_wake_ms() has come.
//
//   core.receive(now, from, message);       // inputs, as they come
//   core.tick(now);                         // at next_wake_ms(), or whenever
//   outputs out = core.take();              // after each of them
//   send(out.messages); tell(out.changes);
//
// What it says is an opinion: it never adds or removes a voter. Differences from the papers:
//  - failed members stay listed, and are asked now and then whether they are back;
//  - a failure overrides only within its incarnation (member_table.hpp), so that they can come
//  back;
//  - whoever is believed not to be alive is told so with every message to it, so that it can object
//    at once (Lifeguard's buddy system, IV-C, there for pings of suspects);
//  - everything that is known is exchanged when a link comes up and now and then, because links
//  here
//    carry large messages; a failure that is heard of that way only makes a suspect;
//  - time in which this member did not run does not count (no answer could be read).

#include "actors/swim/config.hpp"
#include "actors/swim/dissemination.hpp"
#include "actors/swim/formulas.hpp"
#include "actors/swim/member_table.hpp"
#include "actors/swim/messages.hpp"
#include "actors/swim/probe_schedule.hpp"
#include "actors/swim/suspicion.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace cairn::swim {

struct outgoing {
  std::string to;
  message what;
};

/// A member has got another state, or is new (`before` equals `after` then).
struct member_changed {
  std::string node;
  member_state before = member_state::alive;
  member_state after = member_state::alive;
  std::uint64_t incarnation = 0;
  std::string by;  ///< who suspected it or gave it up
  bool is_new = false;
};

struct outputs {
  std::vector<outgoing> messages;
  std::vector<member_changed> changes;
};

struct counters {
  std::uint64_t probes = 0;
  std::uint64_t probes_failed = 0;   ///< unanswered, directly and through others
  std::uint64_t suspicions = 0;      ///< begun by this member
  std::uint64_t objections = 0;      ///< this member said that it is alive after all
  std::uint64_t claims_refused = 0;  ///< incarnations that leap, no room for one more member
  std::uint64_t stalls = 0;          ///< this member did not run for longer than a probe interval
};

/// Owner: one thread.
class core {
public:
  /// @pre `self` has a name; `random` outlives the core.
  core(const config& settings, member_info self, random_source& random, std::uint64_t now_ms);

  // ---- inputs. `now_ms` never goes back.

  /// Time has passed.
  void tick(std::uint64_t now_ms);
  /// @pre malformed(m) has nothing against it, and `from` is who the link says.
  void receive(std::uint64_t now_ms, const std::string& from, const message& m);
  /// A member that the driver knows of from elsewhere; taken for alive until it fails to answer. If
  /// it is known already, its state stays. @pre not null.
  void introduce(std::uint64_t now_ms, info_ptr info);
  /// The driver knows that this member is none any more: it has left, whatever it says itself,
  /// until it is introduced again. No effect if unknown.
  void retire(std::uint64_t now_ms, const std::string& node);
  /// Hint. Up: both compare all they know. Down: probe at once, through others.
  void link_changed(std::uint64_t now_ms, const std::string& node, bool up);
  /// What others are told about this member. @pre the same name.
  void set_info(std::uint64_t now_ms, member_info info);
  /// Says goodbye to some of the others. From now on nothing is probed or answered.
  void leave(std::uint64_t now_ms);

  // ---- outputs

  /// What to do since the last time.
  [[nodiscard]] outputs take();
  /// When tick() is due; it may come earlier or later.
  [[nodiscard]] std::uint64_t next_wake_ms() const;

  [[nodiscard]] const member_table& members() const { return members_; }
  [[nodiscard]] const member& self() const { return *members_.find(self_); }
  [[nodiscard]] std::uint32_t health_score() const { return health_.score(); }
  [[nodiscard]] const counters& counted() const { return counters_; }

private:
  // A probe that is not decided yet.
  struct probe {
    std::uint64_t sequence = 0;
    std::string target;
    std::uint64_t indirect_ms = 0;  // when others are asked
    std::uint64_t ends_ms = 0;
    bool indirect = false;
    std::vector<std::string> helpers;  // were asked
    std::vector<std::string> silent;   // of them: have not even sent a nack
  };
  // A ping on behalf of another member.
  struct relay {
    std::uint64_t sequence = 0;  // ours
    std::string target;
    std::string origin;
    std::uint64_t origin_sequence = 0;
    std::uint64_t nack_ms = 0;
    std::uint64_t ends_ms = 0;
    bool nacked = false;
  };
  struct suspect {
    std::string node;
    suspicion clock;
  };

  // core.cpp
  void run(std::uint64_t now_ms);
  [[nodiscard]] std::uint64_t wake() const;
  void sync_with_somebody();
  void ask_failed();
  void forget_left();
  void send(const std::string& to, message_body body);
  void send_all_known(const std::string& to, bool want_answer);
  [[nodiscard]] std::vector<std::string> some_alive(std::size_t count, const std::string& except);

  // core_probe.cpp
  void start_probe(const std::string& target, bool link_is_down);
  void start_round();
  void run_probes();
  void ask_others(probe& p);
  void finish(const probe& p);
  void run_relays();
  void on(const std::string& from, const ping& body);
  void on(const std::string& from, const ping_request& body);
  void on(const std::string& from, const ack& body);
  void on(const std::string& from, const nack& body);
  void on(const std::string& from, const sync& body);
  void on(const std::string& from, const gossip& body);

  // core_merge.cpp
  void merge(const claim& c, const std::string& from, bool from_sync);
  void merge_self(const claim& c);
  void add_unknown(const claim& c, bool is_news);
  void confirm(const claim& c);
  void become(const std::string& node, const claim& c, bool is_news);
  void accuse(const std::string& node);
  void run_suspicions();
  void object(std::uint64_t incarnation);

  config config_;
  std::string self_;
  random_source& random_;
  member_table members_;
  probe_schedule schedule_;
  dissemination news_;
  local_health health_;
  std::vector<probe> probes_;
  std::vector<relay> relays_;
  std::vector<suspect> suspects_;
  std::set<std::string> retired_;
  outputs outputs_;
  counters counters_;
  // Below, "clock" is the driver's time without the time in which this member did not run.
  std::uint64_t clock_ms_;
  std::uint64_t lost_ms_ = 0;
  std::uint64_t next_probe_ms_;
  std::uint64_t next_sync_ms_;
  std::uint64_t next_ask_failed_ms_;
  std::uint64_t next_sequence_;
  std::uint64_t introduced_myself_ms_ = 0;  // to somebody who does not seem to know this member
  bool leaving_ = false;
};

}  // namespace cairn::swim
