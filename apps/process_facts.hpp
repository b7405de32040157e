#pragma once
// What the kernel knows about this process, and what we ask of it.

#include <cstdint>

namespace cairn::apps {

[[nodiscard]] std::uint64_t process_resident_bytes();
[[nodiscard]] std::uint64_t process_open_files();
[[nodiscard]] std::uint64_t process_open_files_max();
[[nodiscard]] double process_cpu_seconds();
[[nodiscard]] std::uint64_t process_threads();
[[nodiscard]] std::uint64_t process_virtual_bytes();

/// Raises the limit of open files as far as it goes without privileges.
void raise_open_files_max();

}  // namespace cairn::apps
