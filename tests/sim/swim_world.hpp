#pragma once
// A network of membership cores in virtual time: delay, loss, dead members, partitions. Everything
// follows from the seed.

#include "actors/swim/core.hpp"
#include "tests/support/sim_random.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

namespace cairn::testing {

class swim_world {
public:
  struct options {
    std::size_t members = 3;
    std::uint64_t seed = 1;
    double loss = 0;  ///< of each message
    std::uint64_t delay_min_ms = 1;
    std::uint64_t delay_max_ms = 20;
    bool introduced = true;  ///< all know each other from the beginning
    swim::config settings;
  };

  /// What a member reported.
  struct event {
    std::uint64_t at_ms = 0;
    std::size_t seen_by = 0;
    swim::member_changed what;
  };

  explicit swim_world(const options& o);

  void run_for(std::uint64_t ms);
  /// Runs until `done`, looking every 10 ms. False: not within `at_most_ms`.
  bool run_until(const std::function<bool()>& done, std::uint64_t at_most_ms);

  /// Gone without a word, as by kill -9; the others' links do not tell.
  void kill(std::size_t i);
  /// Comes back as a new process that knows only `contact`.
  void restart(std::size_t i, std::size_t contact);
  /// Says goodbye and is gone.
  void leave(std::size_t i);
  /// Only members of the same side hear each other; links do not tell. Empty: all hear all.
  void partition(std::vector<int> sides) { sides_ = std::move(sides); }
  /// The process does not run for so long; then it finds its clock and its messages.
  void pause(std::size_t i, std::uint64_t ms);
  void link_up(std::size_t a, std::size_t b);
  void link_down(std::size_t a, std::size_t b);

  [[nodiscard]] swim::core& core(std::size_t i) { return *nodes_[i].core; }
  [[nodiscard]] static std::string name(std::size_t i);
  [[nodiscard]] std::uint64_t now_ms() const { return now_ms_; }
  [[nodiscard]] const std::vector<event>& events() const { return events_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] std::uint64_t claims() const { return claims_; }
  /// Do all that live believe that `i` is in this state?
  [[nodiscard]] bool all_say(std::size_t i, swim::member_state state) const;
  /// First event of this kind about `i` after `from_ms`, or null.
  [[nodiscard]] const event* first(std::size_t i, swim::member_state state,
                                   std::uint64_t from_ms) const;

private:
  class source : public swim::random_source {
  public:
    explicit source(std::uint64_t seed) : random_(seed) {}
    std::uint64_t next() override { return random_.next(); }

  private:
    sim_random random_;
  };
  struct node {
    std::unique_ptr<source> random;
    std::unique_ptr<swim::core> core;
    std::uint64_t wakes_ms = 0;  // the tick that stands in the queue; 0: none
    std::uint64_t wake_number = 0;
    std::uint64_t paused_until_ms = 0;
    bool dead = false;
    std::uint64_t life = 0;
  };
  struct due {
    std::uint64_t at_ms = 0;
    std::uint64_t number = 0;
    std::size_t to = 0;
    std::size_t from = 0;
    std::uint64_t life = 0;
    std::shared_ptr<const swim::message> message;  // null: a tick
    bool operator>(const due& other) const {
      return at_ms != other.at_ms ? at_ms > other.at_ms : number > other.number;
    }
  };

  void start(std::size_t i);
  void step(const due& one);
  void collect(std::size_t i);
  void deliver(std::size_t from, std::size_t to, swim::message m);
  [[nodiscard]] std::size_t index_of(const std::string& member) const;

  options options_;
  sim_random random_;
  std::vector<node> nodes_;
  std::vector<int> sides_;
  std::priority_queue<due, std::vector<due>, std::greater<>> queue_;
  std::vector<event> events_;
  std::uint64_t now_ms_ = 1'000'000;
  std::uint64_t next_number_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t claims_ = 0;
};

}  // namespace cairn::testing
