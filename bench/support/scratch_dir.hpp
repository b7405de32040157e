#pragma once
// A directory for one run of a benchmark.

#include <string>

namespace cairn::bench {

/// Makes a new directory below `parent`, and removes it with all it holds on destruction.
class scratch_dir {
public:
  explicit scratch_dir(const std::string& parent);
  ~scratch_dir();
  scratch_dir(const scratch_dir&) = delete;
  scratch_dir& operator=(const scratch_dir&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

private:
  std::string path_;
};

/// Where benchmarks keep their files unless told otherwise: beside the program's folder, that is on
/// the disk of the build and not in a tmpfs.
[[nodiscard]] std::string default_scratch_parent();

/// Removes a directory or file of a finished step.
void remove_tree(const std::string& path);

}  // namespace cairn::bench
