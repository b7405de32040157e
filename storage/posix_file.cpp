#include "storage/posix_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>

namespace cairn::storage::posix {

namespace {

/// The kernel takes at most IOV_MAX (1024) pieces; a smaller array keeps the stack frame small.
constexpr std::size_t k_pieces_per_call_max = 256;
static_assert(k_pieces_per_call_max <= IOV_MAX);

/// Calls `call` until it does not fail with EINTR.
template <class Call>
auto retry_interrupted(Call call) {
  while (true) {
    const auto got = call();
    if (got != -1 || errno != EINTR) return got;
  }
}

off_t to_off(std::uint64_t position) {
  return static_cast<off_t>(position);
}

class posix_mapping final : public mapping {
public:
  explicit posix_mapping(mutable_byte_span bytes) : bytes_(bytes) {}
  ~posix_mapping() override {
    if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  }
  posix_mapping(const posix_mapping&) = delete;
  posix_mapping& operator=(const posix_mapping&) = delete;

  mutable_byte_span bytes() override { return bytes_; }

private:
  mutable_byte_span bytes_;
};

class posix_file final : public file {
public:
  posix_file(descriptor opened, std::string path)
      : opened_(std::move(opened)), path_(std::move(path)) {}

  result<std::size_t> pread(mutable_byte_span to, std::uint64_t position) override {
    std::size_t done = 0;
    while (done < to.size()) {
      const auto got = retry_interrupted([&] {
        return ::pread(opened_.number(), to.data() + done, to.size() - done,
                       to_off(position + done));
      });
      if (got < 0) return failure(fmt::format("read at {} of", position + done), errno);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  result<std::size_t> pread_cached(mutable_byte_span to, std::uint64_t position) override {
    std::size_t done = 0;
    while (done < to.size()) {
      iovec piece{to.data() + done, to.size() - done};
      const auto got = retry_interrupted([&] {
        return ::preadv2(opened_.number(), &piece, 1, to_off(position + done), RWF_NOWAIT);
      });
      if (got > 0) {
        // A short count may mean "the rest is not in memory" or "the file ends": the next call
        // tells them apart, 0 only at the end.
        done += static_cast<std::size_t>(got);
        continue;
      }
      if (got == 0) return done;
      if (errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS) {
        return error{errc::would_block, path_ + ": not in memory"};
      }
      return failure(fmt::format("read at {} of", position + done), errno);
    }
    return done;
  }

  status pwrite(std::span<const byte_span> pieces, std::uint64_t position) override {
    std::array<iovec, k_pieces_per_call_max> batch;  // NOLINT(*-member-init): filled below
    std::size_t next = 0;                            // first piece that is not written yet
    std::size_t offset = 0;                          // bytes of it that are
    while (next < pieces.size()) {
      std::size_t count = 0;
      for (std::size_t i = next; i < pieces.size() && count < batch.size(); ++i) {
        const auto rest = pieces[i].subspan(i == next ? offset : 0);
        if (rest.empty()) continue;
        // iovec has no const; the kernel only reads.
        batch[count++] = {const_cast<std::byte*>(rest.data()), rest.size()};
      }
      if (count == 0) break;
      const auto wrote = retry_interrupted([&] {
        return ::pwritev(opened_.number(), batch.data(), static_cast<int>(count), to_off(position));
      });
      if (wrote < 0) return failure(fmt::format("write at {} of", position), errno);
      // A regular file never takes 0 bytes of a non-empty request; looping on it would not end.
      if (wrote == 0) return failure(fmt::format("write at {} of", position), EIO);
      auto left = static_cast<std::size_t>(wrote);
      position += left;
      while (left > 0) {
        const auto rest = pieces[next].size() - offset;
        const auto step = std::min(rest, left);
        left -= step;
        offset += step;
        if (offset == pieces[next].size()) {
          ++next;
          offset = 0;
        }
      }
    }
    return {};
  }

  status allocate(std::uint64_t position, std::uint64_t size) override {
    if (size == 0) return {};
    int failed = 0;
    do {
      // Reports through its return value, not errno.
      failed = ::posix_fallocate(opened_.number(), to_off(position), to_off(size));
    } while (failed == EINTR);
    if (failed != 0)
      return failure(fmt::format("allocate {} bytes at {} of", size, position), failed);
    return {};
  }

  status sync_data() override {
    // Not again after EINTR or anything else: what a failed sync has dropped stays dropped, and the
    // next call would report success.
    if (::fdatasync(opened_.number()) != 0) return failure("sync", errno);
    return {};
  }

  status truncate(std::uint64_t size) override {
    if (retry_interrupted([&] { return ::ftruncate(opened_.number(), to_off(size)); }) != 0) {
      return failure(fmt::format("set the size to {} of", size), errno);
    }
    return {};
  }

  result<std::uint64_t> size_bytes() override {
    struct stat info {};
    if (::fstat(opened_.number(), &info) != 0) return failure("look up the size of", errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

  result<std::unique_ptr<mapping>> map(std::uint64_t size) override {
    auto have = size_bytes();
    if (!have) return have.error();
    if (*have < size) {
      return error{errc::io_error,
                   fmt::format("cannot map {} bytes of {}: it has {}", size, path_, *have)};
    }
    if (size == 0)
      return std::unique_ptr<mapping>(std::make_unique<posix_mapping>(mutable_byte_span{}));
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, opened_.number(), 0);
    if (at == MAP_FAILED) return failure(fmt::format("map {} bytes of", size), errno);
    return std::unique_ptr<mapping>(
        std::make_unique<posix_mapping>(mutable_byte_span(static_cast<std::byte*>(at), size)));
  }

  void drop_cache() override { ::posix_fadvise(opened_.number(), 0, 0, POSIX_FADV_DONTNEED); }

private:
  [[nodiscard]] error failure(std::string_view action, int error_number) const {
    return system_error(action, path_, error_number);
  }

  descriptor opened_;
  std::string path_;
};

}  // namespace

error system_error(std::string_view action, const std::string& path, int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  return {
      full ? errc::disk_full : errc::io_error,
      fmt::format("cannot {} {}: {}", action, path, std::generic_category().message(error_number))};
}

descriptor::~descriptor() {
  if (number_ >= 0) ::close(number_);
}

descriptor open_descriptor(const std::string& path, int flags, unsigned mode) {
  return descriptor(
      retry_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
}

std::unique_ptr<file> make_file(descriptor opened, std::string path) {
  return std::make_unique<posix_file>(std::move(opened), std::move(path));
}

}  // namespace cairn::storage::posix
