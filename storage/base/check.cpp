#include "storage/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace cairn {

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  // tidy-ok: stdio, not the logger: the logger may be what is broken.
  std::fprintf(stderr, "%s:%d: check failed: %s: %s\n", file, line, condition, message.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace cairn
