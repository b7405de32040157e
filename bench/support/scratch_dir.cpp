#include "bench/support/scratch_dir.hpp"

#include "bench/support/results.hpp"

#include <filesystem>
#include <stdlib.h>
#include <system_error>

namespace cairn::bench {

namespace fs = std::filesystem;

scratch_dir::scratch_dir(const std::string& parent) {
  std::error_code failed;
  fs::create_directories(parent, failed);
  std::string name = parent + "/bench-XXXXXX";
  if (failed || ::mkdtemp(name.data()) == nullptr) {
    die(fmt::format("cannot make a directory in {}", parent));
  }
  path_ = name;
}

scratch_dir::~scratch_dir() {
  remove_tree(path_);
}

std::string default_scratch_parent() {
  std::error_code failed;
  const auto self = fs::read_symlink("/proc/self/exe", failed);
  if (failed) die("cannot find this program's own path; say --dir");
  return (self.parent_path().parent_path() / "bench-data").string();
}

void remove_tree(const std::string& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

}  // namespace cairn::bench
