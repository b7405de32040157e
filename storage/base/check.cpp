#include "storage/base/check.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace cairn {

namespace {

std::atomic<check_printer> printer{nullptr};

}  // namespace

void set_check_printer(check_printer to) {
  printer.store(to);
}

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  // Once: the printer may be what is broken.
  if (const auto print = printer.exchange(nullptr); print != nullptr) {
    print(file, line, condition, message);
  } else {
    // tidy-ok: stdio, not the logger: the logger may be what is broken.
    std::fprintf(stderr, "%s:%d: check failed: %s: %s\n", file, line, condition, message.c_str());
    std::fflush(stderr);
  }
  std::abort();
}

}  // namespace cairn
