#pragma once
// Private to posix_env: one open descriptor and how its errors are told.

#include "storage/env.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace cairn::storage::posix {

/// "cannot <action> <path>: <strerror>", disk_full for ENOSPC and EDQUOT, else io_error.
[[nodiscard]] error system_error(std::string_view action, const std::string& path,
                                 int error_number);

/// Owns a descriptor; -1 is none.
class descriptor {
public:
  explicit descriptor(int number = -1) : number_(number) {}
  ~descriptor();
  descriptor(descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  descriptor& operator=(descriptor&&) = delete;
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool valid() const { return number_ >= 0; }

private:
  int number_;
};

/// open(2) with O_CLOEXEC, again after EINTR. Not valid: errno says why.
[[nodiscard]] descriptor open_descriptor(const std::string& path, int flags, unsigned mode = 0);

/// A file over an open descriptor. `path` is for messages only.
[[nodiscard]] std::unique_ptr<file> make_file(descriptor opened, std::string path);

}  // namespace cairn::storage::posix
