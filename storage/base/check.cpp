#include "storage/base/check.hpp"

#include "storage/base/check_hook.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace cairn {

namespace {

std::atomic<check_printer> printer{nullptr};

std::atomic<check_hook_fn> the_hook{nullptr};
std::atomic<bool> hook_called{false};
thread_local bool within_hook = false;

constexpr std::chrono::seconds k_first_hook_max{5};

void call_hook(std::string_view message) {
  const check_hook_fn hook = the_hook.load();
  if (hook == nullptr || within_hook) return;
  if (hook_called.exchange(true)) {
    // Another thread is at it, and will abort.
    std::this_thread::sleep_for(k_first_hook_max);
    return;
  }
  within_hook = true;
  hook(message);
}

}  // namespace

void set_check_printer(check_printer to) {
  printer.store(to);
}

void set_check_hook(check_hook_fn hook) {
  the_hook.store(hook);
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
  call_hook(fmt::format("{}:{}: check failed: {}: {}", file, line, condition, message));
  std::abort();
}

}  // namespace cairn
