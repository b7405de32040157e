#include "storage/whole_file.hpp"

#include "storage/paths.hpp"

#include <fmt/format.h>

namespace cairn::storage {

result<shared_bytes> read_whole_file(env& env, const std::string& path, std::uint64_t bytes_max) {
  auto opened = env.open(path, open_mode::read);
  if (!opened) return opened.error();
  auto size = (*opened)->size_bytes();
  if (!size) return size.error();
  if (*size > bytes_max) {
    return error{errc::corruption, fmt::format("{}: {} bytes are too many", path, *size)};
  }
  auto owner = std::make_shared_for_overwrite<std::byte[]>(*size);
  const mutable_byte_span buffer(owner.get(), *size);
  auto count = (*opened)->pread(buffer, 0);
  if (!count) return count.error();
  return shared_bytes(std::move(owner), byte_span(buffer).first(*count));
}

status replace_whole_file(env& env, const std::string& path, byte_span bytes) {
  const std::string fresh = path + std::string(k_temporary_suffix);
  const auto write = [&]() -> status {
    auto made = env.open(fresh, open_mode::create);
    if (!made) return made.error();
    if (auto s = (*made)->allocate(0, bytes.size()); !s) return s;
    if (auto s = (*made)->pwrite({&bytes, 1}, 0); !s) return s;
    return (*made)->sync_data();
  };
  if (auto s = write(); !s) {
    static_cast<void>(env.remove(fresh));
    return s;
  }
  if (auto s = env.rename(fresh, path); !s) return s;
  return env.sync_directory(parent_path(path));
}

}  // namespace cairn::storage
