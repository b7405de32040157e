#include "actors/swim/core.hpp"

#include "tests/unit/swim/seeded.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <limits>
#include <optional>

namespace cairn::swim {
namespace {

info_ptr info_of(const std::string& node, const std::string& zone = "") {
  member_info info;
  info.node_id = node;
  info.zone = zone;
  return std::make_shared<const member_info>(info);
}

claim says(const std::string& node, member_state state, std::uint64_t incarnation,
           const std::string& by = "b") {
  return {node, state, incarnation, state == member_state::alive ? "" : by, info_of(node)};
}

// A core named "me" that knows some others, with a clock of its own.
class bench {
public:
  explicit bench(const std::vector<std::string>& others, std::uint64_t seed = 1)
      : random_(seed), core_(config{}, *info_of("me"), random_, k_start_ms) {
    for (const auto& node : others)
      core_.introduce(now_, info_of(node));
    (void)core_.take();
  }

  outputs hear(const std::string& from, message_body body, std::vector<claim> claims = {}) {
    core_.receive(now_, from, {std::move(body), std::move(claims)});
    return core_.take();
  }
  // Ticks as a driver does, up to the first output that has what is looked for.
  template <class Body>
  std::optional<outgoing> wait_for(std::uint64_t at_most_ms = 60'000) {
    const auto until = now_ + at_most_ms;
    while (core_.next_wake_ms() <= until) {
      now_ = std::max(now_, core_.next_wake_ms());
      core_.tick(now_);
      for (auto& m : note(core_.take()).messages) {
        if (std::holds_alternative<Body>(m.what.body)) return m;
      }
    }
    now_ = until;
    return std::nullopt;
  }
  void pass(std::uint64_t ms) {
    const auto until = now_ + ms;
    while (core_.next_wake_ms() <= until) {
      now_ = std::max(now_, core_.next_wake_ms());
      core_.tick(now_);
      (void)note(core_.take());
    }
    now_ = until;
  }
  outputs note(outputs out) {
    changes_.insert(changes_.end(), out.changes.begin(), out.changes.end());
    return out;
  }
  [[nodiscard]] member_state state(const std::string& node) const {
    return core_.members().find(node)->state;
  }
  [[nodiscard]] std::uint64_t incarnation(const std::string& node) const {
    return core_.members().find(node)->incarnation;
  }

  static constexpr std::uint64_t k_start_ms = 1'000'000;
  testing::seeded random_;
  core core_;
  std::uint64_t now_ = k_start_ms;
  std::vector<member_changed> changes_;
};

std::optional<claim> find_claim(const outputs& out, const std::string& node) {
  for (const auto& m : out.messages) {
    for (const auto& c : m.what.claims) {
      if (c.node == node) return c;
    }
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("swim core: a ping is answered with an ack of its number") {
  bench b({"b"});
  const auto out = b.hear("b", ping{77});
  REQUIRE(out.messages.size() == 1);
  CHECK(out.messages[0].to == "b");
  CHECK(std::get<ack>(out.messages[0].what.body).sequence == 77);
}

TEST_CASE(
    "swim core: without an answer others are asked, then the member is suspected (SWIM 3.1)") {
  bench b({"b", "c", "d", "e", "f"});
  const auto first = b.wait_for<ping>();
  REQUIRE(first.has_value());
  const auto sent_ms = b.now_;
  b.now_ = b.core_.next_wake_ms();
  b.core_.tick(b.now_);
  const auto out = b.core_.take();
  CHECK(b.now_ == sent_ms + 500);
  std::vector<std::string> helpers;
  for (const auto& m : out.messages) {
    const auto* request = std::get_if<ping_request>(&m.what.body);
    REQUIRE(request != nullptr);
    CHECK(request->target == first->to);
    CHECK(m.to != first->to);
    helpers.push_back(m.to);
  }
  CHECK(helpers.size() == 3);
  // All three were there, but without an answer: this member is in good health, the target not.
  for (const auto& helper : helpers)
    (void)b.hear(helper, nack{std::get<ping>(first->what.body).sequence});
  b.pass(500);
  CHECK(b.state(first->to) == member_state::suspect);
  CHECK(b.core_.members().find(first->to)->by == "me");
  CHECK(b.core_.health_score() == 0);
  CHECK(b.core_.counted().suspicions == 1);
}

TEST_CASE("swim core: an ack, direct or through a helper, ends the probe") {
  for (const bool direct : {true, false}) {
    bench b({"b", "c"});
    const auto first = b.wait_for<ping>();
    REQUIRE(first.has_value());
    const auto sequence = std::get<ping>(first->what.body).sequence;
    const std::string other = first->to == "b" ? "c" : "b";
    (void)b.hear("stranger", ack{sequence});  // may not answer for others
    (void)b.hear(first->to, ack{sequence + 1});
    if (direct) {
      (void)b.hear(first->to, ack{sequence});
      CHECK_FALSE(b.wait_for<ping_request>(600).has_value());
    } else {
      CHECK(b.wait_for<ping_request>(600).has_value());
      (void)b.hear(other, ack{sequence});
    }
    b.pass(900);
    CHECK(b.core_.counted().probes_failed == 0);
    CHECK(b.state(first->to) == member_state::alive);
  }
}

TEST_CASE(
    "swim core: helpers that are silent speak against this member's health (Lifeguard IV-A)") {
  bench b({"b", "c", "d", "e"});
  REQUIRE(b.wait_for<ping_request>().has_value());
  REQUIRE(b.wait_for<ping>().has_value());
  CHECK(b.core_.health_score() == 3);
  // Four times as patient now: the next probe asks others only after two seconds.
  const auto sent_ms = b.now_;
  REQUIRE(b.wait_for<ping_request>().has_value());
  CHECK(b.now_ == sent_ms + 2'000);
}

TEST_CASE("swim core: a ping for another is passed on, with a nack in time if it is silent") {
  bench b({"b", "c"});
  auto out = b.hear("b", ping_request{5, "c"});
  REQUIRE(out.messages.size() == 1);
  CHECK(out.messages[0].to == "c");
  const auto sequence = std::get<ping>(out.messages[0].what.body).sequence;
  SUBCASE("answered") {
    out = b.hear("c", ack{sequence});
    REQUIRE(out.messages.size() == 1);
    CHECK(out.messages[0].to == "b");
    CHECK(std::get<ack>(out.messages[0].what.body).sequence == 5);
    CHECK_FALSE(b.wait_for<nack>(1'000).has_value());
  }
  SUBCASE("silent") {
    const auto asked_ms = b.now_;
    const auto said = b.wait_for<nack>(1'000);
    REQUIRE(said.has_value());
    CHECK(b.now_ == asked_ms + 400);
    CHECK(std::get<nack>(said->what.body).sequence == 5);
    // The answer is still worth passing on.
    out = b.hear("c", ack{sequence});
    REQUIRE(out.messages.size() == 1);
    CHECK(std::holds_alternative<ack>(out.messages[0].what.body));
  }
}

TEST_CASE("swim core: pings on behalf of others are bounded") {
  bench b({"b", "c"});
  std::size_t passed_on = 0;
  for (std::uint64_t i = 0; i < 1'000; ++i)
    passed_on += b.hear("b", ping_request{i, "c"}).messages.size();
  CHECK(passed_on == config{}.relays_max);
  CHECK(b.hear("b", ping_request{1, "nobody-knows"}).messages.empty());
}

TEST_CASE("swim core: what overrides what (SWIM 4.2)") {
  using enum member_state;
  const auto known = [](member_state state, std::uint64_t incarnation) {
    return member{info_of("b"), state, incarnation, 0, {}};
  };
  CHECK(overrides(alive, 2, known(alive, 1)));
  CHECK(overrides(alive, 2, known(suspect, 1)));
  CHECK(overrides(alive, 2, known(failed, 1)));
  CHECK_FALSE(overrides(alive, 1, known(suspect, 1)));
  CHECK_FALSE(overrides(alive, 1, known(alive, 1)));
  CHECK(overrides(suspect, 1, known(alive, 1)));
  CHECK(overrides(suspect, 2, known(suspect, 1)));
  CHECK_FALSE(overrides(suspect, 1, known(alive, 2)));
  CHECK_FALSE(overrides(suspect, 1, known(failed, 1)));
  CHECK(overrides(failed, 1, known(suspect, 1)));
  CHECK_FALSE(overrides(failed, 1, known(alive, 2)));
  CHECK(overrides(left, 1, known(failed, 1)));
}

TEST_CASE("swim core: in whatever order claims are heard, the end is the same") {
  std::vector<claim> claims = {
      says("b", member_state::alive, 3), says("b", member_state::suspect, 3, "c"),
      says("b", member_state::failed, 2, "d"), says("b", member_state::alive, 4),
      says("b", member_state::suspect, 4, "c")};
  std::vector<int> order = {0, 1, 2, 3, 4};
  do {
    bench b({"b", "c", "d"});
    for (const int i : order)
      (void)b.hear("c", gossip{}, {claims[static_cast<std::size_t>(i)]});
    CHECK(b.state("b") == member_state::suspect);
    CHECK(b.incarnation("b") == 4);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("swim core: an accused member objects with a higher incarnation") {
  for (const auto state : {member_state::suspect, member_state::failed, member_state::left}) {
    bench b({"b", "c"});
    const auto out = b.hear("b", ping{1}, {says("me", state, 7)});
    CHECK(b.core_.self().state == member_state::alive);
    CHECK(b.core_.self().incarnation == 8);
    // The answer itself carries the objection.
    const auto objection = find_claim(out, "me");
    REQUIRE(objection.has_value());
    CHECK(objection->state == member_state::alive);
    CHECK(objection->incarnation == 8);
    CHECK(b.core_.counted().objections == 1);
  }
}

TEST_CASE("swim core: whoever is not taken for alive is told so with every message") {
  bench b({"b", "c"});
  (void)b.hear("c", gossip{}, {says("b", member_state::suspect, 1, "c")});
  for (int i = 0; i < 20; ++i) {
    const auto told = find_claim(b.hear("b", ping{1}), "b");
    REQUIRE(told.has_value());
    CHECK(told->state == member_state::suspect);
  }
}

TEST_CASE("swim core: a suspect that does not object fails, stays listed, and may come back") {
  bench b({"b", "c"});
  (void)b.hear("c", gossip{}, {says("b", member_state::suspect, 1, "c")});
  b.pass(4'900);
  CHECK(b.state("b") == member_state::suspect);
  b.pass(200);
  CHECK(b.state("b") == member_state::failed);
  CHECK(b.core_.members().size() == 3);
  CHECK(b.changes_.back().after == member_state::failed);
  // It is asked now and then, and told what is believed of it.
  const auto asked = b.wait_for<ping>(10'000);
  REQUIRE(asked.has_value());
  (void)b.hear("b", gossip{}, {says("b", member_state::alive, 2)});
  CHECK(b.state("b") == member_state::alive);
}

TEST_CASE("swim core: an objection in time ends the suspicion") {
  bench b({"b", "c"});
  (void)b.hear("c", gossip{}, {says("b", member_state::suspect, 1, "c")});
  (void)b.hear("b", gossip{}, {says("b", member_state::alive, 2)});
  CHECK(b.state("b") == member_state::alive);
  CHECK(b.core_.members().find("b")->by.empty());
  (void)b.hear("c", gossip{}, {says("b", member_state::suspect, 1, "c")});  // late
  CHECK(b.state("b") == member_state::alive);
}

TEST_CASE("swim core: a failure that a sync tells of only makes a suspect of a living member") {
  bench b({"b", "c"});
  (void)b.hear("c", sync{false}, {says("b", member_state::failed, 0, "c")});
  CHECK(b.state("b") == member_state::suspect);
  // One that was not known is listed as it is.
  (void)b.hear("c", sync{false}, {says("old", member_state::failed, 3, "c")});
  CHECK(b.state("old") == member_state::failed);
}

TEST_CASE("swim core: a sync is answered with all that is known, and is no news about others") {
  bench b({"b"});
  const auto out = b.hear("b", sync{true},
                          {says("b", member_state::alive, 1), says("c", member_state::alive, 5)});
  REQUIRE(out.messages.size() == 1);
  CHECK_FALSE(std::get<sync>(out.messages[0].what.body).want_answer);
  CHECK(out.messages[0].what.claims.size() == 3);
  CHECK(out.changes.size() == 1);
  CHECK(out.changes[0].is_new);
  const auto next = b.hear("c", ping{1});
  CHECK(find_claim(next, "b").has_value());
  CHECK(!find_claim(b.hear("b", ping{1}), "c").has_value());
}

TEST_CASE("swim core: incarnations that leap are refused (reliability F.4, 75)") {
  bench b({"b", "c"});
  const auto limit = k_incarnation_leap_max;
  (void)b.hear("c", gossip{}, {says("me", member_state::failed, limit + 2)});
  CHECK(b.core_.self().incarnation == 1);
  (void)b.hear("c", gossip{}, {says("b", member_state::failed, limit + 1)});
  CHECK(b.state("b") == member_state::alive);
  (void)b.hear("c", gossip{}, {says("new", member_state::alive, limit)});
  CHECK(b.core_.members().find("new") == nullptr);
  CHECK(b.core_.counted().claims_refused == 3);
}

TEST_CASE("swim core: messages that no honest member sends are malformed") {
  const auto bad = [](claim c) { return malformed({gossip{}, {std::move(c)}}); };
  CHECK(bad(says("b", member_state::alive, 1)).empty());
  CHECK(bad(says("b", member_state::alive, k_incarnation_limit)) == "incarnation out of range");
  CHECK(bad(says("b", member_state::alive, std::numeric_limits<std::uint64_t>::max())) ==
        "incarnation out of range");
  CHECK_FALSE(bad(says("", member_state::alive, 1)).empty());
  CHECK_FALSE(bad(says(std::string(256, 'x'), member_state::alive, 1)).empty());
  CHECK_FALSE(bad({"b", member_state::alive, 1, "", nullptr}).empty());
  CHECK_FALSE(bad({"b", member_state::alive, 1, "", info_of("c")}).empty());
  CHECK_FALSE(bad({"b", static_cast<member_state>(5), 1, "", nullptr}).empty());
  CHECK_FALSE(bad({"b", member_state::suspect, 1, std::string(256, 'x'), nullptr}).empty());
  CHECK_FALSE(bad({"b", member_state::alive, 1, "", info_of("b", std::string(256, 'z'))}).empty());
  CHECK_FALSE(malformed({ping_request{1, ""}, {}}).empty());
}

TEST_CASE("swim core: members are bounded") {
  config c;
  c.members_max = 10;
  testing::seeded random(1);
  core one(c, *info_of("me"), random, 0);
  for (int i = 0; i < 100; ++i) {
    one.receive(0, "b", {gossip{}, {says("n" + std::to_string(i), member_state::alive, 1)}});
  }
  CHECK(one.members().size() == 10);
  CHECK(one.counted().claims_refused == 91);
}

TEST_CASE("swim core: where the list comes from elsewhere, gossip adds nobody to it") {
  config c;
  c.strangers = false;
  testing::seeded random(1);
  core one(c, *info_of("me"), random, 0);
  one.introduce(0, info_of("b"));
  one.receive(0, "b", {sync{false}, {says("new", member_state::alive, 1)}});
  one.receive(0, "stranger", {ping{1}, {says("stranger", member_state::alive, 1)}});
  CHECK(one.members().size() == 2);
  one.introduce(0, info_of("new"));
  CHECK(one.members().size() == 3);
}

TEST_CASE("swim core: a member that starts again overtakes its earlier life") {
  bench b({"b"});
  auto old_life = says("me", member_state::alive, 9);
  (void)b.hear("b", sync{false}, {old_life});
  CHECK(b.core_.self().incarnation == 10);
  // The same incarnation with another address is an earlier life, too.
  bench other({"b"});
  old_life = says("me", member_state::alive, 1);
  old_life.info = info_of("me", "elsewhere");
  (void)other.hear("b", sync{false}, {old_life});
  CHECK(other.core_.self().incarnation == 2);
}

TEST_CASE("swim core: other information is a new incarnation") {
  bench b({"b"});
  b.core_.set_info(b.now_, *info_of("me", "zone-2"));
  CHECK(b.core_.self().incarnation == 2);
  const auto out = b.hear("b", ping{1});
  const auto news = find_claim(out, "me");
  REQUIRE(news.has_value());
  CHECK(news->info->zone == "zone-2");
}

TEST_CASE(
    "swim core: one that is retired has left, whatever it says, until it is introduced again") {
  bench b({"b", "c"});
  b.core_.retire(b.now_, "b");
  const auto out = b.core_.take();
  REQUIRE(out.changes.size() == 1);
  CHECK(out.changes[0].after == member_state::left);
  (void)b.hear("b", gossip{}, {says("b", member_state::alive, 5)});
  CHECK(b.state("b") == member_state::left);
  b.core_.introduce(b.now_, info_of("b"));
  (void)b.hear("b", gossip{}, {says("b", member_state::alive, 5)});
  CHECK(b.state("b") == member_state::alive);
}

TEST_CASE("swim core: whoever leaves says so and falls silent") {
  bench b({"b", "c"});
  b.core_.leave(b.now_);
  const auto out = b.core_.take();
  CHECK(out.messages.size() == 2);
  for (const auto& m : out.messages) {
    REQUIRE(m.what.claims.size() == 1);
    CHECK(m.what.claims[0].node == "me");
    CHECK(m.what.claims[0].state == member_state::left);
  }
  CHECK(b.hear("b", ping{1}).messages.empty());
  CHECK(b.core_.next_wake_ms() == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("swim core: an unknown member that pings is asked who it is, but not with every ping") {
  bench b({"b"});
  auto out = b.hear("stranger", ping{1});
  REQUIRE(out.messages.size() == 2);
  CHECK(std::get<sync>(out.messages[1].what.body).want_answer);
  CHECK(b.hear("stranger", ping{2}).messages.size() == 1);
}

TEST_CASE("swim core: a member alone is idle but for its periods") {
  bench b({});
  b.pass(100'000);
  CHECK(b.core_.counted().probes == 0);
  CHECK(b.core_.self().state == member_state::alive);
}

}  // namespace cairn::swim
