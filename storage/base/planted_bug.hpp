#pragma once
// Bugs that a test build plants on purpose, to prove that the simulator and the checkers see them.
// The numbers are those of the list of known bugs in docs/protocol/raft.md. Production builds
// define nothing, and every use of planted() is then compiled away.

namespace cairn {

#ifdef CAIRN_PLANTED_BUGS

/// The bug of this process; 0: none. Set before anything else happens.
inline int planted_bug_number = 0;

[[nodiscard]] inline bool planted(int bug) {
  return planted_bug_number == bug;
}

#else

[[nodiscard]] constexpr bool planted(int /*bug*/) {
  return false;
}

#endif

}  // namespace cairn
