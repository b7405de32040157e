// How long an operator's questions take: asks the nodes of a cluster, through one of them, for a
// while, each kind of question about each node in turn. Give the cluster its load beside it
// (`cairn bench`). `inspect_bench PEER-ADDRESS[,...] [SECONDS]`.

#include "apps/console/observer.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace cairn;
using clock_type = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds k_deadline{5'000};

struct kind {
  const char* name;
  std::function<void(v1::InspectRequest&)> fill;
};

std::vector<kind> kinds() {
  return {
      {"node", [](auto& x) { x.mutable_node_facts(); }},
      {"actors", [](auto& x) { x.mutable_actors(); }},
      {"members", [](auto& x) { x.mutable_members(); }},
      {"raft", [](auto& x) { x.mutable_raft(); }},
      {"log", [](auto& x) { x.mutable_log_state(); }},
      {"events", [](auto& x) { x.mutable_events()->set_limit(100); }},
      {"metrics", [](auto& x) { x.mutable_metrics(); }},
  };
}

struct times {
  std::vector<double> ms;
  std::size_t failed = 0;
  std::string why;
};

double at(const std::vector<double>& sorted, double share) {
  return sorted.at(static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1)));
}

void print(const std::string& what, times& of) {
  if (of.ms.empty()) {
    fmt::print("{:<22} {:>6} answers, {} failed: {}\n", what, 0, of.failed, of.why);
    return;
  }
  std::sort(of.ms.begin(), of.ms.end());
  fmt::print("{:<22} {:>6} answers  p50 {:>7.2f}  p99 {:>7.2f}  max {:>7.2f} ms{}\n", what,
             of.ms.size(), at(of.ms, 0.5), at(of.ms, 0.99), of.ms.back(),
             of.failed == 0 ? "" : fmt::format("  {} failed: {}", of.failed, of.why));
}

int run(const std::string& addresses, int seconds) {
  auto parsed = console::parse_addresses(addresses);
  if (!parsed) {
    fmt::print(stderr, "{}\n", parsed.error().detail);
    return 2;
  }
  console::observer_config config;
  config.addresses = *parsed;
  auto made = console::observer::start(std::move(config));
  if (!made) {
    fmt::print(stderr, "{}\n", made.error().detail);
    return 1;
  }
  auto& through = **made;
  v1::InspectRequest members;
  members.mutable_members();
  const auto known = through.ask("", members, k_deadline);
  if (!known) {
    fmt::print(stderr, "{}\n", known.error().detail);
    return 1;
  }
  const auto via = through.via();
  std::map<std::string, times> all;
  const auto end = clock_type::now() + std::chrono::seconds(seconds);
  while (clock_type::now() < end) {
    for (const auto& what : kinds()) {
      for (const auto& member : known->members().members()) {
        v1::InspectRequest question;
        what.fill(question);
        const auto begun = clock_type::now();
        const auto got = through.ask(member.id(), question, k_deadline);
        const std::chrono::duration<double, std::milli> took = clock_type::now() - begun;
        auto& of = all[fmt::format("{} {}", what.name, member.id() == via ? "linked" : "relayed")];
        auto& total = all["~ all"];
        if (got) {
          of.ms.push_back(took.count());
          total.ms.push_back(took.count());
        } else {
          ++of.failed;
          of.why = got.error().detail;
        }
      }
    }
  }
  fmt::print("through {}\n", via);
  for (auto& [what, of] : all)
    print(what, of);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  int seconds = 10;
  if (argc > 2) {
    const std::string text = argv[2];
    std::from_chars(text.data(), text.data() + text.size(), seconds);
  }
  if (argc < 2 || argc > 3 || seconds < 1) {
    fmt::print(stderr, "usage: inspect_bench PEER-ADDRESS[,...] [SECONDS]\n");
    return 2;
  }
  return run(argv[1], seconds);
}
