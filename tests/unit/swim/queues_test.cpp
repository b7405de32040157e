#include "actors/swim/dissemination.hpp"
#include "actors/swim/probe_schedule.hpp"
#include "tests/unit/swim/seeded.hpp"

#include <doctest/doctest.h>
#include <map>
#include <set>

namespace cairn::swim {
namespace {

claim about(const std::string& node, std::uint64_t incarnation = 1) {
  return {node, member_state::suspect, incarnation, "x", nullptr};
}

std::vector<std::string> taken(dissemination& news, std::size_t count, std::uint32_t limit,
                               const std::string& except = "") {
  std::vector<claim> claims;
  news.take(count, limit, except, claims);
  std::vector<std::string> names;
  for (const auto& c : claims)
    names.push_back(c.node);
  return names;
}

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("probe schedule: in each round everybody has one turn, in changing order (SWIM 4.3)") {
  testing::seeded random(1);
  probe_schedule schedule;
  for (int i = 0; i < 10; ++i)
    schedule.add(std::string(1, static_cast<char>('a' + i)), random);
  std::set<names> orders;
  for (int round = 0; round < 5; ++round) {
    names order;
    for (int i = 0; i < 10; ++i)
      order.push_back(schedule.next(random));
    CHECK(std::set<std::string>(order.begin(), order.end()).size() == 10);
    orders.insert(order);
  }
  CHECK(orders.size() == 5);
}

TEST_CASE("probe schedule: a newcomer comes anywhere, and takes nobody's turn away") {
  std::map<int, int> turns;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    testing::seeded random(seed);
    probe_schedule schedule;
    for (const auto* node : {"a", "b", "c", "d"})
      schedule.add(node, random);
    std::multiset<std::string> round = {schedule.next(random), schedule.next(random)};
    schedule.add("new", random);
    int turn = 0;
    for (int i = 1; i <= 3; ++i) {
      const auto node = schedule.next(random);
      if (node == "new") turn = i;
      round.insert(node);
    }
    ++turns[turn];
    for (const auto* node : {"a", "b", "c", "d"})
      CHECK((turn == 0 || round.count(node) == 1));
    CHECK(round.count("new") <= 1);
  }
  for (int turn = 0; turn <= 3; ++turn)
    CHECK(turns[turn] > 20);
}

TEST_CASE("probe schedule: whoever is removed has no turn, the others keep theirs") {
  testing::seeded random(4);
  probe_schedule schedule;
  for (const auto* node : {"a", "b", "c"})
    schedule.add(node, random);
  const auto first = schedule.next(random);
  schedule.remove(first);
  schedule.remove("unknown");
  std::set<std::string> rest = {schedule.next(random), schedule.next(random)};
  CHECK(rest.size() == 2);
  CHECK(rest.count(first) == 0);
  schedule.remove(*rest.begin());
  schedule.remove(*rest.rbegin());
  CHECK(schedule.next(random).empty());
}

TEST_CASE("dissemination: what was sent least goes first, the youngest before the older ones") {
  dissemination news;
  news.add(about("a"), true);
  news.add(about("b"), true);
  news.add(about("c"), true);
  CHECK(taken(news, 2, 9) == names{"c", "b"});
  CHECK(taken(news, 2, 9) == names{"a", "c"});
  news.add(about("d"), true);
  CHECK(taken(news, 1, 9) == names{"d"});
}

TEST_CASE("dissemination: nothing is sent more often than the limit") {
  dissemination news;
  news.add(about("a"), true);
  for (int i = 0; i < 3; ++i)
    CHECK(taken(news, 5, 3) == names{"a"});
  CHECK(taken(news, 5, 3).empty());
  CHECK(news.size() == 0);
}

TEST_CASE("dissemination: there is one claim about a member, the last one, from the beginning") {
  dissemination news;
  news.add(about("a", 1), true);
  CHECK(taken(news, 5, 2) == names{"a"});
  news.add(about("a", 2), true);
  CHECK(news.size() == 1);
  std::vector<claim> claims;
  news.take(5, 2, "", claims);
  CHECK(claims[0].incarnation == 2);
  CHECK(taken(news, 5, 2) == names{"a"});
  CHECK_FALSE(news.has("a"));
}

TEST_CASE("dissemination: a crowd of newcomers does not hold up an urgent claim") {
  dissemination news;
  for (int i = 0; i < 500; ++i)
    news.add(about("new" + std::to_string(i)), false);
  news.add(about("failed"), true);
  for (int i = 0; i < 4; ++i)
    CHECK(taken(news, 3, 9).front() == "failed");
}

TEST_CASE("dissemination: nobody is told about itself here") {
  dissemination news;
  news.add(about("a"), true);
  news.add(about("b"), true);
  CHECK(taken(news, 5, 9, "a") == names{"b"});
}

}  // namespace cairn::swim
