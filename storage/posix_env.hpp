#pragma once
// The environment of production: files, directories, locks, clocks and randomness from the Linux
// kernel. The only place in storage/ with file descriptors.

#include "storage/env.hpp"

#include <memory>

namespace cairn::storage {

/// Makes an env over the operating system. Thread-safe; files and locks may outlive it.
///
/// Beyond the contract of env.hpp:
/// - Directories are made with mode 0700, files with 0600; every descriptor is close-on-exec.
/// - ENOSPC and EDQUOT of any call are disk_full, everything else is io_error with the path and
///   strerror.
/// - A name that exists already is kept by make_directories(), but its parent is synced all the
///   same: an earlier process may have been killed between making and syncing it.
/// - pread_cached() asks with RWF_NOWAIT; a file system without it always gives would_block.
/// - lock_directory() takes a flock on `<path>/lock`, which the kernel drops when the process ends.
///   The file stays and holds the owner's process id for people to read.
[[nodiscard]] std::unique_ptr<env> make_posix_env();

}  // namespace cairn::storage
