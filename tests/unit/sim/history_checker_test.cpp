#include "apps/sim/history_checker.hpp"

#include "tests/support/sim_random.hpp"
#include "tests/unit/sim/brute_force.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/format.h>

namespace cairn::testing {
namespace {

using namespace cairn::sim;

append_call ok(std::uint64_t invoked, std::uint64_t responded, std::uint64_t base,
               std::vector<std::uint64_t> values) {
  return {invoked, responded, append_fate::ok, std::move(values), base};
}
append_call unknown(std::uint64_t invoked, std::vector<std::uint64_t> values) {
  return {invoked, k_never, append_fate::unknown, std::move(values), 0};
}
append_call failed(std::uint64_t invoked, std::vector<std::uint64_t> values) {
  return {invoked, k_never, append_fate::failed, std::move(values), 0};
}

read_call read(std::uint64_t invoked, std::uint64_t responded, std::uint64_t from,
               const std::vector<std::uint64_t>& values) {
  read_call r;
  r.invoked = invoked;
  r.responded = responded;
  r.from = from;
  r.where = "node 1";
  for (const std::uint64_t value : values)
    r.records.push_back({from + r.records.size(), value});
  return r;
}
read_call linearizable(std::uint64_t invoked, std::uint64_t responded, std::uint64_t from,
                       const std::vector<std::uint64_t>& values, std::uint64_t end) {
  read_call r = read(invoked, responded, from, values);
  r.end = end;
  r.linearizable = true;
  return r;
}
read_call at_the_end(const std::vector<std::uint64_t>& values) {
  read_call r = read(10'000'000, 10'000'001, 0, values);
  r.end = values.size();
  r.final = true;
  return r;
}

std::string rule(const history& h) {
  const auto found = find_violation(h);
  return found ? found->rule : "";
}

}  // namespace

TEST_CASE("history checker: an honest history is accepted") {
  history h;
  h.appends = {ok(1, 5, 0, {10}), ok(2, 6, 1, {11, 12}), unknown(3, {13}), failed(4, {14})};
  h.reads = {linearizable(7, 8, 0, {10, 11, 12}, 3), read(7, 9, 1, {11}),
             linearizable(10, 12, 4, {}, 4), at_the_end({10, 11, 12, 13})};
  CHECK(rule(h) == "");
}

TEST_CASE("history checker: each rule has a history that breaks it alone") {
  history h;
  SUBCASE("two acknowledgements of one offset") {
    h.appends = {ok(1, 5, 0, {10}), ok(2, 6, 0, {11})};
    CHECK(rule(h) == "agreement");
  }
  SUBCASE("two reads that differ") {
    h.appends = {unknown(1, {10}), unknown(1, {11})};
    h.reads = {read(2, 3, 0, {10}), read(4, 5, 0, {11})};
    CHECK(rule(h) == "agreement");
  }
  SUBCASE("a value twice") {
    h.appends = {unknown(1, {10})};
    h.reads = {read(2, 3, 0, {10, 10})};
    CHECK(rule(h) == "duplicate");
  }
  SUBCASE("a value that nobody sent") {
    h.reads = {read(2, 3, 0, {10})};
    CHECK(rule(h) == "origin");
  }
  SUBCASE("a value that was reported as not done") {
    h.appends = {failed(1, {10})};
    h.reads = {read(2, 3, 0, {10})};
    CHECK(rule(h) == "origin");
  }
  SUBCASE("a gap in a read") {
    h.appends = {unknown(1, {10}), unknown(1, {11})};
    h.reads = {read(2, 3, 0, {10, 11})};
    h.reads[0].records[1].offset = 2;
    CHECK(rule(h) == "density");
  }
  SUBCASE("half of a batch, with something else in the other half") {
    h.appends = {ok(1, 9, 0, {10}), unknown(1, {11, 12}), ok(1, 9, 2, {13})};
    h.reads = {read(2, 3, 1, {11})};
    CHECK(rule(h) == "batch");
  }
  SUBCASE("an end within a batch") {
    h.appends = {ok(1, 5, 0, {10, 11})};
    h.reads = {linearizable(2, 3, 0, {10}, 1)};
    CHECK(rule(h) == "batch");
  }
  SUBCASE("records at or past the stated end") {
    h.appends = {ok(1, 5, 0, {10}), ok(1, 5, 1, {11})};
    h.reads = {linearizable(2, 3, 0, {10, 11}, 1)};
    CHECK(rule(h) == "read past end");
  }
  SUBCASE("a node without an acknowledged record at the end") {
    h.appends = {ok(1, 5, 0, {10}), ok(1, 5, 1, {11})};
    h.reads = {at_the_end({10, 11}), at_the_end({10})};
    CHECK(rule(h) == "final read");
  }
  SUBCASE("an offset that was stated, and that no append can have filled") {
    h.appends = {ok(1, 5, 0, {10}), unknown(9, {11})};
    h.reads = {linearizable(6, 7, 2, {}, 2)};
    CHECK(rule(h) == "hole");
  }
  SUBCASE("a length beyond all that was ever sent") {
    h.appends = {ok(1, 5, 0, {10})};
    h.reads = {linearizable(6, 7, 0, {10}, k_never)};
    CHECK(rule(h) == "hole");
  }
  SUBCASE("sent after the other was acknowledged, stored before it") {
    h.appends = {ok(1, 2, 1, {10}), ok(3, 4, 0, {11})};
    CHECK(rule(h) == "order inversion");
  }
  SUBCASE("an acknowledged record that a later read does not count") {
    h.appends = {ok(1, 2, 0, {10})};
    h.reads = {linearizable(3, 4, 0, {}, 0)};
    CHECK(rule(h) == "stale read");
  }
  SUBCASE("a read that sees less than one that ended before it began") {
    h.appends = {unknown(1, {10})};
    h.reads = {linearizable(2, 3, 0, {10}, 1), linearizable(4, 5, 0, {}, 0)};
    CHECK(rule(h) == "non-monotonic reads");
  }
  SUBCASE("a record that was seen before it was sent") {
    h.appends = {ok(4, 5, 0, {10})};
    h.reads = {read(1, 2, 0, {10})};
    CHECK(rule(h) == "read from the future");
  }
}

TEST_CASE("history checker: a read of the past may be stale, but not invent") {
  history h;
  h.appends = {ok(1, 2, 0, {10}), ok(3, 4, 1, {11})};
  h.reads = {read(5, 6, 0, {10})};
  h.reads[0].end = 1;
  CHECK(rule(h) == "");
  h.reads[0].linearizable = true;
  CHECK(rule(h) == "stale read");
}

TEST_CASE("history checker: a trimmed log is judged from its start on") {
  history h;
  h.appends = {ok(1, 2, 0, {10}), ok(3, 4, 1, {11}), unknown(3, {12}), ok(5, 6, 3, {13})};
  h.reads = {at_the_end({})};
  h.reads[0].from = 3;
  h.reads[0].records = {{3, 13}};
  h.reads[0].end = 4;
  CHECK(rule(h) == "");
  // Nothing is left that could have been at offset 2.
  h.appends[2].fate = append_fate::failed;
  CHECK(rule(h) == "hole");
}

namespace {

struct world {
  explicit world(std::uint64_t seed) : random(seed) {}

  // A history as an honest log would give it: each call takes effect at one moment between its
  // begin and its end.
  history honest(std::uint64_t call_count, std::uint64_t span, bool batches) {
    struct moment {
      std::uint64_t time, begin, end;
    };
    std::vector<moment> moments;
    for (std::uint64_t i = 0; i < call_count; ++i) {
      const std::uint64_t time = 10 * (2 + i) + span;
      moments.push_back({time, time - 1 - random.below(span), time + 1 + random.below(span)});
    }
    history h;
    std::vector<std::uint64_t> log;
    for (const moment& m : moments) {
      if (random.coin()) {
        append_call a = unknown(m.begin, {});
        const std::uint64_t count = batches ? 1 + random.below(3) : 1;
        for (std::uint64_t i = 0; i < count; ++i)
          a.values.push_back(++last_value);
        const auto fate = random.below(5);
        if (fate == 0) a.fate = append_fate::failed;
        if (fate >= 2) {
          a.fate = append_fate::ok;
          a.base = log.size();
          a.responded = m.end;
        }
        if (fate > 1 || (fate == 1 && random.coin())) {
          log.insert(log.end(), a.values.begin(), a.values.end());
        }
        h.appends.push_back(std::move(a));
      } else {
        read_call r = read(m.begin, m.end, random.below(log.size() + 1), {});
        r.linearizable = random.coin();
        if (r.linearizable || random.coin()) r.end = log.size();
        const std::uint64_t count =
            random.below(std::min<std::uint64_t>(log.size() - r.from, 20) + 1);
        for (std::uint64_t i = 0; i < count; ++i)
          r.records.push_back({r.from + i, log[r.from + i]});
        h.reads.push_back(std::move(r));
      }
    }
    if (random.coin() || batches) h.reads.push_back(at_the_end(log));
    return h;
  }

  sim_random random;
  std::uint64_t last_value = 100;
};

// Some small lie, anywhere.
void twist(history& h, sim_random& random) {
  if (!h.appends.empty() && random.coin()) {
    append_call& a = h.appends[random.below(h.appends.size())];
    switch (random.below(4)) {
      case 0:
        a.base = random.coin() || a.base == 0 ? a.base + 1 : a.base - 1;
        break;
      case 1:
        a.fate = static_cast<append_fate>(random.below(3));
        a.responded = std::min(a.responded, a.invoked + 1 + random.below(30));
        break;
      case 2:
        a.responded = a.responded == k_never ? k_never : a.invoked + 1 + random.below(30);
        break;
      default:
        a.invoked = random.below(std::min<std::uint64_t>(a.responded, 100));
    }
  } else if (!h.reads.empty()) {
    read_call& r = h.reads[random.below(h.reads.size())];
    switch (random.below(4)) {
      case 0:
        if (r.end && !r.final) r.end = random.coin() || *r.end == 0 ? *r.end + 1 : *r.end - 1;
        break;
      case 1:
        if (!r.records.empty() && !h.appends.empty()) {
          r.records[random.below(r.records.size())].value =
              h.appends[random.below(h.appends.size())].values[0];
        }
        break;
      case 2:
        if (!r.final) r.invoked = random.below(std::min<std::uint64_t>(r.responded, 100));
        break;
      default:
        if (!r.final) r.responded = r.invoked + 1 + random.below(40);
    }
  }
}

}  // namespace

TEST_CASE("history checker: agrees with a search over all orders on small histories") {
  std::uint64_t bad = 0;
  std::uint64_t total = 0;
  for (std::uint64_t seed = 1; seed <= 30'000; ++seed) {
    world w(seed);
    history h = w.honest(1 + w.random.below(6), 1 + w.random.below(40), w.random.coin());
    const std::uint64_t lies = w.random.below(3);
    for (std::uint64_t i = 0; i < lies; ++i)
      twist(h, w.random);
    const bool good = explainable(h);
    const auto found = find_violation(h);
    ++total;
    bad += good ? 0 : 1;
    REQUIRE_MESSAGE(good == !found,
                    fmt::format("seed {}: the search says {}, the checker {}", seed, good,
                                found ? found->rule + ": " + found->detail : "good"));
  }
  // Both kinds must be among them, or it proves nothing.
  CHECK(bad > total / 10);
  CHECK(bad < total * 9 / 10);
}

TEST_CASE("history checker: every mutation of a long honest history is caught") {
  std::uint64_t caught = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    world w(seed);
    history h = w.honest(400, 50, true);
    REQUIRE(rule(h) == "");
    std::vector<append_call*> acknowledged;
    for (append_call& a : h.appends) {
      if (a.fate == append_fate::ok) acknowledged.push_back(&a);
    }
    append_call& one = *acknowledged[w.random.below(acknowledged.size() - 10)];
    const auto last = std::prev(h.reads.end());
    switch (seed % 5) {
      case 0:  // lost: the others move up
        std::erase_if(last->records, [&](const seen_record& r) {
          return std::find(one.values.begin(), one.values.end(), r.value) != one.values.end();
        });
        for (std::size_t i = 0; i < last->records.size(); ++i)
          last->records[i].offset = i;
        *last->end = last->records.size();
        break;
      case 1:  // twice
        last->records.push_back({last->records.size(), one.values[0]});
        ++*last->end;
        break;
      case 2:  // acknowledged after all, reported as failed
        one.fate = append_fate::failed;
        break;
      case 3:  // two change places
        std::swap(last->records.front().value, last->records.back().value);
        break;
      default:  // an old length, long after
        h.reads.push_back(linearizable(9'000'000, 9'000'001, 0, {}, one.base));
    }
    const bool seen = !rule(h).empty();
    caught += seen ? 1 : 0;
    CHECK_MESSAGE(seen, fmt::format("seed {}, mutation {}", seed, seed % 5));
  }
  CHECK(caught == 100);
}

TEST_CASE("history checker: a long history takes time in proportion") {
  world w(7);
  CHECK(rule(w.honest(100'000, 1'000, true)) == "");
}

}  // namespace cairn::testing
