#pragma once
// What is done once more before a failed check ends the process.

#include <string_view>

namespace cairn {

/// Called on the thread whose check has failed, with the message that stands on stderr by then, and
/// at most once: of two threads that fail, the second ends the process in five seconds at the
/// latest. It must not take a lock that the failing thread may hold, and must not fail a check.
using check_hook_fn = void (*)(std::string_view message);

/// Null: none. Any thread.
void set_check_hook(check_hook_fn hook);

}  // namespace cairn
