#pragma once
// CAIRN_CHECK stays on in release builds: a broken invariant ends the process before it harms the
// data.

#include <fmt/format.h>
#include <string>

namespace cairn {

/// Prints the failed condition with its place and message to stderr and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const std::string& message);

/// Prints a failed condition in place of standard error's plain text. It is called on the thread
/// that failed, once: must not wait long, for whoever reads standard error may be stuck, too.
using check_printer = void (*)(const char* file, int line, const char* condition,
                               const std::string& message);
/// Null: the plain text.
void set_check_printer(check_printer printer);

}  // namespace cairn

/// Aborts unless `condition` holds. The rest is a fmt format string with its arguments.
#define CAIRN_CHECK(condition, ...)                                                      \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      ::cairn::check_failed(__FILE__, __LINE__, #condition, ::fmt::format(__VA_ARGS__)); \
    }                                                                                    \
  } while (false)

/// As CAIRN_CHECK, for checks that cost more than O(1): only in debug and sanitizer builds.
#ifdef CAIRN_DEBUG_CHECKS
#define CAIRN_DCHECK(condition, ...) CAIRN_CHECK(condition, __VA_ARGS__)
#else
#define CAIRN_DCHECK(condition, ...) \
  do {                               \
  } while (false)
#endif
