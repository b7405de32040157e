#include "apps/node_log.hpp"

#include "apps/last_words.hpp"
#include "storage/base/check.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/async.h>
#include <spdlog/details/periodic_worker.h>
#include <spdlog/sinks/sink.h>
#include <thread>
#include <unistd.h>

namespace cairn::apps {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

/// A pipe that poll() calls writable takes so much without waiting, as long as nobody else fills it
/// in between.
constexpr std::size_t k_piece_bytes = 4'096;
constexpr int k_look_again_ms = 100;

unix_ms milliseconds_of(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

/// Threads that begin within this take no signals: those belong to the main thread.
class without_signals {
public:
  without_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~without_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  without_signals(const without_signals&) = delete;
  without_signals& operator=(const without_signals&) = delete;

private:
  sigset_t before_{};
};

/// Writes all of `text` unless `stop()` says so or the descriptor is broken. False: not all.
template <class Stop>
bool write_all(int descriptor, std::string_view text, Stop stop) {
  while (!text.empty()) {
    if (stop()) return false;
    pollfd ready{descriptor, POLLOUT, 0};
    const int count = ::poll(&ready, 1, k_look_again_ms);
    if (count == 0 || (count < 0 && errno == EINTR)) continue;
    if (count < 0) return false;
    const auto written = ::write(descriptor, text.data(), std::min(text.size(), k_piece_bytes));
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      return false;
    }
  }
  return true;
}

spdlog::level::level_enum spdlog_level(log_level level) {
  return static_cast<spdlog::level::level_enum>(level);
}
static_assert(static_cast<int>(log_level::trace) == SPDLOG_LEVEL_TRACE);
static_assert(static_cast<int>(log_level::warning) == SPDLOG_LEVEL_WARN);
static_assert(static_cast<int>(log_level::off) == SPDLOG_LEVEL_OFF);

/// The counts are read by a signal handler.
struct log_counts {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> written{0};  // or failed to be
  std::atomic<std::uint64_t> overrun{0};  // as far as the writer has noticed
  std::atomic<std::uint64_t> broken{0};   // of `written`: the descriptor did not take them
  std::atomic<bool> give_up{false};

  [[nodiscard]] bool drained() const { return written.load() + overrun.load() >= accepted.load(); }
};

/// The end of spdlog's queue; all of it on the one thread of the pool.
class descriptor_sink : public spdlog::sinks::sink {
public:
  descriptor_sink(const node_log_settings& settings, log_counts& counts)
      : settings_(settings), counts_(counts) {}

  void log(const spdlog::details::log_msg& message) override {
    tell_losses();
    auto line = unpacked({message.payload.data(), message.payload.size()});
    line.level = static_cast<log_level>(message.level);
    line.component = log_component_of({message.logger_name.data(), message.logger_name.size()})
                         .value_or(log_component::node);
    if (!put(line, milliseconds_of(message.time))) ++counts_.broken;
    ++counts_.written;
  }
  void flush() override {}  // nothing is kept back
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

  std::function<std::uint64_t()> overrun;  ///< of the pool, since its start

private:
  // What is lost is lost before the line that comes next.
  void tell_losses() {
    const std::uint64_t now = overrun();
    const std::uint64_t lost = now - counts_.overrun.load();
    if (lost == 0) return;
    log_record line;
    line.level = log_level::warning;
    line.message = fmt::format(
        "{} lines were lost: standard error was not read fast enough, and lines do not wait. See "
        "what reads this node's standard error.",
        lost);
    line.fields.push_back({"lost", std::to_string(lost), true});
    static_cast<void>(put(line, milliseconds_of(std::chrono::system_clock::now())));
    counts_.overrun.store(now);
  }

  bool put(const log_record& line, unix_ms time_ms) {
    const auto text = formatted(settings_.format, line, settings_.node_id, time_ms) + "\n";
    return write_all(settings_.descriptor, text, [this] { return counts_.give_up.load(); });
  }

  const node_log_settings settings_;
  log_counts& counts_;
};

}  // namespace

struct node_log::impl : log_sink {
  explicit impl(const node_log_settings& settings);

  void take(const log_record& line) override {
    ++counts.accepted;
    loggers.at(static_cast<std::size_t>(line.component))
        ->log(spdlog_level(line.level), std::string_view(packed(line)));
  }
  [[nodiscard]] std::int64_t monotonic_ms() override {
    return std::chrono::duration_cast<milliseconds>(clock::now().time_since_epoch()).count();
  }

  node_log_settings settings;
  last_words at_crash{settings.format, settings.node_id};
  log_counts counts;
  std::shared_ptr<descriptor_sink> sink;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::array<std::shared_ptr<spdlog::async_logger>, k_log_components> loggers;
  std::unique_ptr<spdlog::details::periodic_worker> ticker;
};

namespace {

/// Of the node_log that exists: for what happens when the process breaks.
std::atomic<node_log::impl*> present{nullptr};

constexpr milliseconds k_crash_patience{300};

void print_failed_check(const char* file, int line, const char* condition,
                        const std::string& message) {
  log_record told;
  told.level = log_level::critical;
  told.message = fmt::format(
      "{}:{}: check failed: {}: {}. The process ends at once, before it can "
      "harm the data; the next start recovers. Please report this line.",
      file, line, condition, message);
  node_log_settings settings;
  if (const auto* log = present.load()) settings = log->settings;
  const auto text = formatted(settings.format, told, settings.node_id,
                              milliseconds_of(std::chrono::system_clock::now())) +
                    "\n";
  const auto deadline = clock::now() + k_crash_patience;
  static_cast<void>(
      write_all(settings.descriptor, text, [deadline] { return clock::now() >= deadline; }));
}

constexpr std::array k_fatal_signals{SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
std::array<struct sigaction, k_fatal_signals.size()> before_us{};

/// The first of the threads that fault speaks; the others wait for it, else they would end it.
std::atomic<bool> crash_is_told{false};

/// Only what a signal handler may do.
void on_fatal_signal(int number, siginfo_t* info, void* /*context*/) {
  const int saved = errno;
  constexpr timespec k_step{0, 1'000'000};
  auto* const log = present.exchange(nullptr);
  if (log == nullptr) {
    for (auto left = 3 * k_crash_patience.count(); left > 0 && crash_is_told; --left)
      nanosleep(&k_step, nullptr);
  } else {
    crash_is_told = true;
    for (auto left = k_crash_patience.count(); left > 0 && !log->counts.drained(); --left)
      nanosleep(&k_step, nullptr);
    int tries = 3;  // each waits for a moment when nobody reads
    const auto words = info->si_code > 0 ? log->at_crash.of(number) : "";
    static_cast<void>(
        write_all(log->settings.descriptor, words, [&tries] { return tries-- == 0; }));
    crash_is_told = false;
  }
  for (std::size_t i = 0; i < k_fatal_signals.size(); ++i) {
    if (k_fatal_signals.at(i) == number) sigaction(number, &before_us.at(i), nullptr);
  }
  // A faulting instruction faults again, and then finds the handler before us.
  if (info->si_code <= 0) raise(number);
  errno = saved;
}

}  // namespace

void log_crashes() {
  set_check_printer(print_failed_check);
  struct sigaction action {};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < k_fatal_signals.size(); ++i)
    sigaction(k_fatal_signals.at(i), &action, &before_us.at(i));
}

node_log::impl::impl(const node_log_settings& its_settings) : settings(its_settings) {
  const without_signals quiet;
  sink = std::make_shared<descriptor_sink>(settings, counts);
  pool = std::make_shared<spdlog::details::thread_pool>(settings.queue_lines, 1);
  sink->overrun = [from = pool.get()] { return std::uint64_t{from->overrun_counter()}; };
  for (std::size_t i = 0; i < k_log_components; ++i) {
    const auto component = static_cast<log_component>(i);
    auto& logger = loggers.at(i);
    logger = std::make_shared<spdlog::async_logger>(std::string(to_string(component)), sink, pool,
                                                    spdlog::async_overflow_policy::overrun_oldest);
    logger->set_level(spdlog::level::trace);  // judged before: set_log_level()
    logger->set_error_handler([](const std::string&) {});
    set_log_level(component, settings.levels.at(i));
  }
  ticker = std::make_unique<spdlog::details::periodic_worker>([] { tell_log_repeats(); },
                                                              std::chrono::seconds(1));
}

node_log::node_log(const node_log_settings& settings) : impl_(std::make_shared<impl>(settings)) {
  present = impl_.get();
  set_log_sink(impl_);
}

node_log::~node_log() {
  impl_->ticker.reset();
  set_log_sink(nullptr);
  if (!flush(k_end_patience)) {
    // Nobody reads: what waits is given up, and the thread ends.
    impl_->counts.give_up = true;
    // Unless it is stuck in the kernel. The process must end all the same: nothing is freed.
    if (!flush(k_give_up_patience)) new std::shared_ptr<impl>(impl_);
  }
  present = nullptr;
}

bool node_log::flush(milliseconds patience) {
  const auto deadline = clock::now() + patience;
  while (!impl_->counts.drained()) {
    if (clock::now() >= deadline) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

std::uint64_t node_log::lost_lines() const {
  return impl_->pool->overrun_counter() + impl_->counts.broken.load();
}
std::uint64_t node_log::lines() const {
  return impl_->counts.accepted.load();
}

}  // namespace cairn::apps
