#include "actors/swim/formulas.hpp"

#include "actors/swim/suspicion.hpp"

#include <doctest/doctest.h>

namespace cairn::swim {

TEST_CASE("formulas: a claim is passed on lambda * ceil(log10(n + 1)) times (SWIM 4.1)") {
  const config c;
  CHECK(retransmit_limit(c, 0) == 4);
  CHECK(retransmit_limit(c, 1) == 4);
  CHECK(retransmit_limit(c, 9) == 4);
  CHECK(retransmit_limit(c, 10) == 8);
  CHECK(retransmit_limit(c, 99) == 8);
  CHECK(retransmit_limit(c, 100) == 12);
  CHECK(retransmit_limit(c, 1000) == 16);
}

TEST_CASE("formulas: suspicion lasts alpha * log10(n) periods at least, beta times that at most") {
  const config c;
  CHECK(suspicion_bounds(c, 0).min_ms == 5'000);
  CHECK(suspicion_bounds(c, 3).min_ms == 5'000);
  CHECK(suspicion_bounds(c, 10).min_ms == 5'000);
  CHECK(suspicion_bounds(c, 100).min_ms == 10'000);
  CHECK(suspicion_bounds(c, 1000).min_ms == 15'000);
  CHECK(suspicion_bounds(c, 1000).max_ms == 90'000);
}

TEST_CASE("formulas: accusers shorten suspicion logarithmically (Lifeguard IV-B)") {
  const suspicion_range range{5'000, 30'000};
  CHECK(suspicion_timeout_ms(range, 0, 3) == 30'000);
  CHECK(suspicion_timeout_ms(range, 1, 3) == 17'500);  // log 2 / log 4 = 1/2
  CHECK(suspicion_timeout_ms(range, 2, 3) == 10'187);  // log 3 / log 4 = 0.7925
  CHECK(suspicion_timeout_ms(range, 3, 3) == 5'000);
  CHECK(suspicion_timeout_ms(range, 9, 3) == 5'000);
  CHECK(suspicion_timeout_ms(range, 0, 0) == 5'000);
}

TEST_CASE("formulas: a group too small for the accusers wants none") {
  const config c;
  CHECK(confirmations_wanted(c, 2) == 0);
  CHECK(confirmations_wanted(c, 4) == 0);
  CHECK(confirmations_wanted(c, 5) == 3);
}

TEST_CASE("formulas: health is between 0 and S, and stretches times by score + 1") {
  local_health health(8);
  CHECK(health.scaled(1000) == 1000);
  health.change(-1);
  CHECK(health.score() == 0);
  health.change(3);
  CHECK(health.scaled(500) == 2000);
  health.change(100);
  CHECK(health.score() == 8);
  CHECK(health.scaled(1000) == 9000);
  health.change(-100);
  CHECK(health.score() == 0);
}

TEST_CASE("formulas: large groups sync more seldom") {
  const config c;
  CHECK(full_sync_interval_ms(c, 3) == 30'000);
  CHECK(full_sync_interval_ms(c, 32) == 30'000);
  CHECK(full_sync_interval_ms(c, 33) == 60'000);
  CHECK(full_sync_interval_ms(c, 1000) == 32 * 30'000);
}

TEST_CASE("suspicion: each accuser counts once, and no more than are wanted") {
  const config c;
  suspicion s(c, 10, "a", 1'000);
  CHECK(s.ends_ms() == 31'000);
  CHECK_FALSE(s.confirm("a"));
  CHECK(s.confirm("b"));
  CHECK_FALSE(s.confirm("b"));
  CHECK(s.confirm("c"));
  CHECK(s.confirm("d"));
  CHECK(s.ends_ms() == 6'000);
  CHECK_FALSE(s.confirm("e"));
  CHECK(s.ends_ms() == 6'000);
  suspicion small(c, 3, "a", 1'000);
  CHECK(small.ends_ms() == 6'000);
  CHECK_FALSE(small.confirm("b"));
}

}  // namespace cairn::swim
