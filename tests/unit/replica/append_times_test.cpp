#include "actors/append_times.hpp"

#include <doctest/doctest.h>
#include <thread>

using namespace cairn::actors;

TEST_CASE("append times: a duration belongs to the first bucket whose bound is not below it") {
  CHECK(time_bucket_of(0) == 0);
  CHECK(time_bucket_of(10'000) == 0);
  CHECK(time_bucket_of(10'001) == 1);
  for (std::size_t i = 0; i < k_time_bounds_ns.size(); ++i) {
    CHECK(time_bucket_of(k_time_bounds_ns[i]) == i);
    CHECK(time_bucket_of(k_time_bounds_ns[i] + 1) == i + 1);
  }
  CHECK(time_bucket_of(UINT64_MAX) == k_time_bucket_count - 1);
}

TEST_CASE("append times: a weight counts as often, and so does its time") {
  time_counts counts;
  counts.add(30'000, 4);
  counts.add(30'000, 0);
  counts.add(20'000'000'000);
  const auto totals = counts.totals();
  CHECK(totals.counts[2] == 4);
  CHECK(totals.counts.back() == 1);
  CHECK(totals.count() == 5);
  CHECK(totals.sum_ns == 4 * 30'000 + 20'000'000'000);
}

TEST_CASE("append times: a tally adds what was counted elsewhere") {
  time_tally tally;
  tally.add(5'000);
  tally.add(40'000, 3);
  time_counts counts;
  counts.add(tally);
  counts.add(tally);
  CHECK(counts.totals().counts[0] == 2);
  CHECK(counts.totals().counts[2] == 6);
  CHECK(counts.totals().sum_ns == 2 * (5'000 + 3 * 40'000));
}

TEST_CASE("append times: the totals are those of all writers, also of those that have gone") {
  append_times times;
  auto first = times.open();
  {
    auto second = times.open();
    second->of(append_stage::total).add(1'000, 2);
  }
  first->of(append_stage::total).add(2'000, 3);
  first->of(append_stage::queue).add(7);
  const auto all = times.stages();
  CHECK(all[static_cast<std::size_t>(append_stage::total)].count() == 5);
  CHECK(all[static_cast<std::size_t>(append_stage::total)].sum_ns == 8'000);
  CHECK(all[static_cast<std::size_t>(append_stage::queue)].count() == 1);
  CHECK(all[static_cast<std::size_t>(append_stage::sync)].count() == 0);
}

TEST_CASE("append times: peers have a bounded number of names") {
  append_times times;
  const auto n2 = times.open_peer("n2");
  CHECK(times.open_peer("n2") == n2);
  n2->add(1'000, 2);
  for (std::size_t i = 1; i < append_times::k_peers_max; ++i)
    CHECK(times.open_peer("x" + std::to_string(i)) != nullptr);
  CHECK(times.open_peer("one more") == nullptr);
  CHECK(times.open_peer("n2") == n2);
  CHECK(times.peers().size() == append_times::k_peers_max);
  CHECK(times.peers().at("n2").count() == 2);
}

TEST_CASE("append times: a reader beside writers loses nothing") {
  append_times times;
  constexpr std::uint64_t each = 20'000;
  std::vector<std::thread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([counts = times.open()] {
      for (std::uint64_t n = 0; n < each; ++n)
        counts->of(append_stage::total).add(n);
    });
  }
  std::uint64_t last = 0;
  while (last < 2 * each) {
    const auto now = times.stages()[static_cast<std::size_t>(append_stage::total)].count();
    REQUIRE(now >= last);
    REQUIRE(now <= 2 * each);
    last = now;
  }
  for (auto& writer : writers)
    writer.join();
  CHECK(times.stages()[static_cast<std::size_t>(append_stage::total)].sum_ns ==
        2 * (each * (each - 1) / 2));
}
