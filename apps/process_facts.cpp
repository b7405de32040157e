#include "apps/process_facts.hpp"

#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cairn::apps {

namespace {

/// statm: size resident shared ..., in pages.
std::uint64_t memory_bytes(int field) {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  for (int i = 0; i <= field; ++i)
    statm >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t entries_of(const char* directory) {
  std::error_code failed;
  std::uint64_t count = 0;
  for (auto entry = std::filesystem::directory_iterator(directory, failed);
       !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    ++count;
  }
  return count;
}

}  // namespace

std::uint64_t process_resident_bytes() {
  return memory_bytes(1);
}

std::uint64_t process_virtual_bytes() {
  return memory_bytes(0);
}

// Since Linux 6.2 the directory's size says it, without a look at each of thousands of files.
std::uint64_t process_open_files() {
  struct stat directory {};
  if (stat("/proc/self/fd", &directory) == 0 && directory.st_size > 0) {
    return static_cast<std::uint64_t>(directory.st_size);
  }
  return entries_of("/proc/self/fd");
}

std::uint64_t process_threads() {
  return entries_of("/proc/self/task");
}

std::uint64_t process_open_files_max() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

double process_cpu_seconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void raise_open_files_max() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace cairn::apps
