#pragma once
// What the kernel knows about this process, and what we ask of it.

#include <cstdint>

namespace cairn::apps {

[[nodiscard]] std::uint64_t process_resident_bytes();
[[nodiscard]] std::uint64_t process_open_files();
[[nodiscard]] std::uint64_t process_open_files_max();
[[nodiscard]] double process_cpu_seconds();

/// Raises the limit of open files as far as it goes without privileges.
void raise_open_files_max();

/// Lets the allocator keep up to 8 MiB of freed memory a thread instead of giving it back at once.
/// Reads and large appends take a buffer of some 100 KiB each time; without this they pay for fresh
/// pages again and again, and threads wait for each other in the kernel (a third of the reads per
/// second at 64 connections).
void keep_freed_memory();

}  // namespace cairn::apps
