#include "apps/recorder_dumps.hpp"

#include "storage/base/check_hook.hpp"
#include "storage/base/log_line.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <future>
#include <thread>
#include <unistd.h>
#include <vector>

namespace cairn::apps {

namespace {

constexpr std::string_view k_prefix = "recorder-";
constexpr std::string_view k_suffix = ".dump";
constexpr mode_t k_mode = 0640;
constexpr int k_attempts = 100;  // of a name, within a second

std::atomic<dump_on_failed_check*> the_one{nullptr};

error failed(const std::string& path, int code) {
  return {code == ENOSPC || code == EDQUOT ? errc::disk_full : errc::io_error,
          fmt::format("{}: {}", path, std::strerror(code))};
}

// Names sort by time.
std::string name_of(std::time_t now, int attempt) {
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
  return attempt == 0 ? fmt::format("{}{}{}", k_prefix, text.data(), k_suffix)
                      : fmt::format("{}{}_{:02}{}", k_prefix, text.data(), attempt, k_suffix);
}

// Newest first.
std::vector<std::string> dumps_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* open = ::opendir(directory.c_str());
  if (open == nullptr) return names;
  while (const dirent* found = ::readdir(open)) {
    const std::string_view name = found->d_name;
    if (name.starts_with(k_prefix) && name.ends_with(k_suffix)) names.emplace_back(name);
  }
  ::closedir(open);
  std::sort(names.begin(), names.end(), std::greater<>{});
  return names;
}

// The first name of this second that sorts behind those that are there: one that was removed to
// make room must not come back as the oldest.
int first_attempt(std::time_t now, const std::vector<std::string>& there) {
  for (int attempt = k_attempts; attempt > 0; --attempt) {
    if (std::find(there.begin(), there.end(), name_of(now, attempt - 1)) != there.end())
      return attempt;
  }
  return 0;
}

void remove_oldest(const std::string& directory, const std::string& written) {
  std::size_t kept = 1;  // what was just written, even if the clock says that it is old
  for (const auto& name : dumps_in(directory)) {
    const std::string path = directory + "/" + name;
    if (path == written || kept++ < k_recorder_dumps_kept) continue;
    ::unlink(path.c_str());
  }
}

int write_all(int file, byte_span bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return done < 0 ? errno : EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return 0;
}

}  // namespace

result<std::string> write_recorder_dump(const std::string& directory,
                                        const actors::flight_recorder& recorder,
                                        const std::string& reason) {
  const std::time_t now = std::time(nullptr);
  const auto bytes = recorder.dump(reason, static_cast<unix_ms>(now) * 1000);
  for (int attempt = first_attempt(now, dumps_in(directory)); attempt < k_attempts; ++attempt) {
    const std::string path = directory + "/" + name_of(now, attempt);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, k_mode);
    if (file < 0 && errno == EEXIST) continue;
    if (file < 0) return failed(path, errno);
    int code = write_all(file, bytes);
    if (code == 0 && ::fsync(file) != 0) code = errno;
    ::close(file);
    if (code != 0) {
      ::unlink(path.c_str());
      return failed(path, code);
    }
    remove_oldest(directory, path);
    return path;
  }
  return error{errc::io_error, directory + ": too many dumps of this second"};
}

void report_recorder_dump(const std::string& directory,
                          std::shared_ptr<const actors::flight_recorder> recorder,
                          const std::string& reason) {
  constexpr std::chrono::milliseconds k_wait{1'000};
  if (!recorder) return;
  std::promise<result<std::string>> done;
  auto path = done.get_future();
  std::thread([directory, recorder, reason, done = std::move(done)]() mutable {
    done.set_value(write_recorder_dump(directory, *recorder, reason));
  }).detach();
  if (path.wait_for(k_wait) != std::future_status::ready) {
    log_error(log_component::node)
        .say("the flight recorder's dump is not written after {} ms", k_wait.count());
    return;
  }
  const auto written = path.get();
  if (written.ok()) {
    log_info(log_component::node)
        .say("what led to it is in {0}; 'cairn replay {0}' shows it step by step", *written);
  } else {
    log_error(log_component::node)
        .say("the flight recorder's dump could not be written: {}", written.error().detail);
  }
}

actors::inspect_handler recorder_hook(std::shared_ptr<const actors::flight_recorder> recorder,
                                      storage::env& env, actors::node_events_ptr events) {
  if (!recorder) return {};
  return [recorder = std::move(recorder), &env, events = std::move(events)](
             const v1::InspectRequest&, const actors::inspect_done_fn& done) {
    const auto dump = std::make_shared<const std::vector<std::byte>>(
        recorder->dump("asked for by an operator", env.now_ms()));
    const shared_bytes bytes(dump, *dump);
    v1::InspectAnswer answer;
    auto& facts = *answer.mutable_recorder();
    const actors::recorder_extent extent = recorder->extent();
    facts.set_dump_bytes(bytes.size());
    facts.set_inputs(extent.inputs);
    facts.set_first_ms(extent.first_ms);
    facts.set_last_ms(env.now_ms());
    if (events) {
      events->add(actors::event_kind::recorder, actors::event_severity::info, "recorder",
                  fmt::format("the flight recorder's last {} steps were fetched by an operator",
                              extent.inputs),
                  {{"inputs", fmt::format("{}", extent.inputs)},
                   {"bytes", fmt::format("{}", bytes.size())}});
    }
    done(std::move(answer), bytes);
  };
}

dump_on_failed_check::dump_on_failed_check(std::string directory,
                                           std::shared_ptr<const actors::flight_recorder> recorder)
    : directory_(std::move(directory)), recorder_(std::move(recorder)) {
  if (!recorder_) return;
  the_one.store(this);
  set_check_hook(&dump_on_failed_check::hook);
}

dump_on_failed_check::~dump_on_failed_check() {
  dump_on_failed_check* mine = this;
  if (the_one.compare_exchange_strong(mine, nullptr)) set_check_hook(nullptr);
}

void dump_on_failed_check::hook(std::string_view message) {
  const dump_on_failed_check* one = the_one.load();
  if (one == nullptr) return;
  const auto path = write_recorder_dump(one->directory_, *one->recorder_, std::string(message));
  const std::string line =
      path.ok() ? fmt::format(
                      "cairnd: what led to it is in {0}; 'cairn replay {0}' shows it step "
                      "by step\n",
                      *path)
                : fmt::format("cairnd: the flight recorder's dump could not be written: {}\n",
                              path.error().detail);
  // The logger may be what is broken.
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace cairn::apps
