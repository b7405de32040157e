#pragma once
// Small files that are read and replaced as a whole.

#include "storage/base/bytes.hpp"
#include "storage/base/result.hpp"
#include "storage/env.hpp"

#include <cstdint>
#include <string>

namespace cairn::storage {

/// Reads the file. not_found, io_error; corruption: it is larger than `bytes_max`.
[[nodiscard]] result<shared_bytes> read_whole_file(env& env, const std::string& path,
                                                   std::uint64_t bytes_max);

/// Replaces the file, or makes it, atomically; durable on return. Writes `<path>.tmp` first.
/// disk_full: the old one stands. io_error: the old or the new one does.
[[nodiscard]] status replace_whole_file(env& env, const std::string& path, byte_span bytes);

}  // namespace cairn::storage
