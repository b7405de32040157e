#pragma once
// A new directory on a real disk, removed with everything in it at the end of a test.

#include "storage/base/check.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace cairn::testing {

class temporary_directory {
public:
  temporary_directory() {
    auto name = (std::filesystem::temp_directory_path() / "cairn-test-XXXXXX").string();
    CAIRN_CHECK(::mkdtemp(name.data()) != nullptr, "cannot make {}", name);
    path_ = std::move(name);
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
  std::string path_;
};

}  // namespace cairn::testing
