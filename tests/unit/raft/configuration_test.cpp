#include "actors/raft/configuration.hpp"

#include "tests/unit/raft/group.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

namespace cairn::raft {
namespace {

using testing::nodes;
using action = member_change::action;

configuration of(node_set voters, node_set learners = {}) {
  configuration c;
  c.voters = std::move(voters);
  c.learners = std::move(learners);
  return c;
}

}  // namespace

TEST_CASE("configuration: a change of voters is joint first (paper section 6)") {
  const auto next = changed(of(nodes({1, 2, 3}), nodes({4})),
                            {{action::add_voter, node_id(4)}, {action::remove, node_id(1)}});
  REQUIRE(next.ok());
  CHECK(next->voters == nodes({2, 3, 4}));
  CHECK(next->outgoing == nodes({1, 2, 3}));
  CHECK(next->learners.empty());
  CHECK(joint_left(*next) == of(nodes({2, 3, 4})));
}

TEST_CASE("configuration: a change of learners alone is not joint (dissertation 4.2.1)") {
  const auto next = changed(of(nodes({1})), {{action::add_learner, node_id(2)}});
  REQUIRE(next.ok());
  CHECK_FALSE(next->joint());
  CHECK(next->learners == nodes({2}));
}

TEST_CASE("configuration: a demoted voter votes in the old half, and learns afterwards") {
  const auto next = changed(of(nodes({1, 2, 3})), {{action::add_learner, node_id(3)}});
  REQUIRE(next.ok());
  CHECK(next->is_voter(node_id(3)));
  CHECK(joint_left(*next) == of(nodes({1, 2}), nodes({3})));
}

TEST_CASE("configuration: a learner that is named again stays a learner") {
  const configuration c = of(nodes({1}), nodes({2}));
  const auto next = changed(c, {{action::add_learner, node_id(2)}});
  REQUIRE(next.ok());
  CHECK(*next == c);
}

TEST_CASE("configuration: impossible changes are refused") {
  const configuration c = of(nodes({1, 2}));
  CHECK_FALSE(changed(c, {{action::remove, node_id(3)}}).ok());
  CHECK_FALSE(changed(c, {{action::remove, node_id(1)}, {action::remove, node_id(2)}}).ok());
  CHECK_FALSE(changed(c, {{action::remove, node_id(1)}, {action::add_voter, node_id(1)}}).ok());
  CHECK_FALSE(changed(c, {{action::add_learner, k_nobody}}).ok());
  const auto joint = changed(c, {{action::remove, node_id(1)}});
  CHECK_FALSE(changed(*joint, {{action::add_learner, node_id(9)}}).ok());
}

TEST_CASE("configuration: random edits keep it valid, and it survives encoding") {
  CHECK(rc::check("edits", [] {
    configuration c = of(nodes({1}));
    c.context = shared_bytes::copy_of(as_byte_span("n1=here"));
    for (int i = 0; i < 12; ++i) {
      const auto what = static_cast<action>(*rc::gen::inRange(0, 3));
      const node_id node(*rc::gen::inRange<std::uint64_t>(1, 7));
      const auto next = changed(c, {{what, node}});
      if (!next) continue;
      c = next->joint() ? joint_left(*next) : *next;
      RC_ASSERT(validate(c).ok());
      RC_ASSERT(holds(c.learners, node) == (what == action::add_learner));
      const auto decoded = decode_configuration(encode(*next));
      RC_ASSERT(decoded.ok() && *decoded == *next);
    }
  }));
}

TEST_CASE("configuration: bytes that are cut or invalid do not decode") {
  const auto joint = changed(of(nodes({1, 2, 3})), {{action::remove, node_id(1)}});
  const shared_bytes whole = encode(*joint);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(decode_configuration(whole.slice(0, size)).ok());
  }
  std::vector<std::byte> bad(whole.span().begin(), whole.span().end());
  bad[0] = std::byte{9};
  CHECK_FALSE(decode_configuration(shared_bytes::copy_of(bad)).ok());
}

TEST_CASE("configuration: the history is truncated and trimmed with the log (bug 28)") {
  config_history history({log_index(0), of(nodes({1}))});
  history.append(log_index(3), of(nodes({1, 2})));
  history.append(log_index(7), of(nodes({1, 2, 3})));
  CHECK(history.at(log_index(6)).voters == nodes({1, 2}));
  history.truncate_from(log_index(7));
  CHECK(history.latest().index == log_index(3));
  history.trim_to(log_index(5));
  CHECK(history.items().size() == 1);
  CHECK(history.latest().config.voters == nodes({1, 2}));
}

}  // namespace cairn::raft
