#pragma once
// Bugs that a test build plants on purpose, to prove that the cluster test sees them. The numbers
// are those of the list of known Raft bugs in docs/protocol/raft.md. Production builds define
// nothing, and every use below is then compiled away.

namespace cairn::raft {

#ifdef CAIRN_PLANTED_BUG
inline constexpr int k_planted_bug = CAIRN_PLANTED_BUG;
#else
inline constexpr int k_planted_bug = 0;
#endif

[[nodiscard]] constexpr bool planted(int bug) {
  return k_planted_bug == bug;
}

}  // namespace cairn::raft
