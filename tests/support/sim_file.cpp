#include "storage/base/check.hpp"
#include "tests/support/sim_state.hpp"

#include <algorithm>

namespace cairn::testing {

namespace {

class sim_mapping final : public storage::mapping {
public:
  sim_mapping(std::shared_ptr<sim_state> state, std::shared_ptr<sim_inode> inode,
              std::shared_ptr<sim_inode::mapped_memory> memory, std::uint64_t size)
      : state_(std::move(state)),
        inode_(std::move(inode)),
        memory_(std::move(memory)),
        bytes_(mutable_byte_span(*memory_).first(size)) {}

  ~sim_mapping() override {
    const std::lock_guard guard(state_->mutex);
    inode_->fold_mapping();  // nothing after a crash: the memory is not the file's any more
    memory_.reset();
  }
  sim_mapping(const sim_mapping&) = delete;
  sim_mapping& operator=(const sim_mapping&) = delete;

  mutable_byte_span bytes() override { return bytes_; }

private:
  std::shared_ptr<sim_state> state_;
  std::shared_ptr<sim_inode> inode_;
  std::shared_ptr<sim_inode::mapped_memory> memory_;
  mutable_byte_span bytes_;
};

class sim_file final : public storage::file {
public:
  sim_file(std::shared_ptr<sim_state> state, std::shared_ptr<sim_inode> inode, std::string path,
           bool writable)
      : state_(std::move(state)),
        inode_(std::move(inode)),
        path_(std::move(path)),
        writable_(writable),
        generation_(state_->generation) {}

  result<std::size_t> pread(mutable_byte_span to, std::uint64_t position) override {
    const std::lock_guard guard(state_->mutex);
    return read(to, position);
  }

  result<std::size_t> pread_cached(mutable_byte_span to, std::uint64_t position) override {
    const std::lock_guard guard(state_->mutex);
    if (!state_->reads_cached) return error{errc::would_block, path_ + ": not in memory"};
    return read(to, position);
  }

  status pwrite(std::span<const byte_span> pieces, std::uint64_t position) override {
    const std::lock_guard guard(state_->mutex);
    std::vector<std::byte> bytes;
    for (const auto piece : pieces)
      bytes.insert(bytes.end(), piece.begin(), piece.end());
    if (auto refused = refuse_write()) return *refused;
    const auto verdict = state_->begin(sim_op::write, path_, position, bytes.size());
    auto refused = verdict.failure;
    if (!refused) {
      refused = state_->refuse_growth(path_, inode_->growth_bytes(position, bytes.size()));
    }
    // A real write that fails has got up to some byte; a power cut then tears what has arrived.
    if (refused) bytes.resize(verdict.may_take_effect ? state_->random.below(bytes.size() + 1) : 0);
    const auto count = bytes.size();
    inode_->write(position, std::move(bytes));
    std::erase_if(state_->bad_ranges, [&](const auto& bad) {
      return bad.path == path_ && position <= bad.position &&
             bad.position + bad.size <= position + count;
    });
    return finish(refused);
  }

  status allocate(std::uint64_t position, std::uint64_t size) override {
    const std::lock_guard guard(state_->mutex);
    if (auto refused = refuse_write()) return *refused;
    if (size == 0) return {};
    const auto verdict = state_->begin(sim_op::allocate, path_, position, size);
    auto refused = verdict.failure;
    if (!refused) refused = state_->refuse_growth(path_, inode_->growth_bytes(position, size));
    if (!refused ||
        (verdict.may_take_effect && refused->code != errc::disk_full && state_->random.coin())) {
      inode_->allocate(position, size);
    }
    return finish(refused);
  }

  status sync_data() override {
    std::function<void(const std::string&)> hook;
    {
      const std::lock_guard guard(state_->mutex);
      hook = state_->sync_hook;
    }
    if (hook) hook(path_);
    const std::lock_guard guard(state_->mutex);
    if (auto dead = refuse_dead()) return *dead;
    const auto verdict = state_->begin(sim_op::sync_data, path_);
    if (!verdict.failure) {
      inode_->sync();
    } else if (state_->stopped) {
      // The power goes during the sync: what has arrived is drawn at the crash.
      if (verdict.may_take_effect && state_->random.coin()) inode_->sync();
    } else {
      inode_->fail_sync(state_->random, state_->random.coin());
    }
    return finish(verdict.failure);
  }

  status truncate(std::uint64_t size) override {
    const std::lock_guard guard(state_->mutex);
    if (auto refused = refuse_write()) return *refused;
    const auto verdict = state_->begin(sim_op::truncate, path_, size);
    if (!verdict.failure || (verdict.may_take_effect && state_->random.coin())) {
      inode_->truncate(size);
    }
    return finish(verdict.failure);
  }

  result<std::uint64_t> size_bytes() override {
    const std::lock_guard guard(state_->mutex);
    if (auto dead = refuse_dead()) return *dead;
    return inode_->size();
  }

  result<std::unique_ptr<storage::mapping>> map(std::uint64_t size) override {
    const std::lock_guard guard(state_->mutex);
    if (auto refused = refuse_write()) return *refused;
    const auto verdict = state_->begin(sim_op::map, path_, 0, size);
    if (verdict.failure) return *verdict.failure;
    if (size > inode_->size()) {
      return error{errc::io_error, fmt::format("cannot map {} bytes of {}: it has {}", size, path_,
                                               inode_->size())};
    }
    return std::unique_ptr<storage::mapping>(
        std::make_unique<sim_mapping>(state_, inode_, inode_->map(size), size));
  }

  void drop_cache() override {}

private:
  [[nodiscard]] std::optional<error> refuse_dead() const {
    if (generation_ == state_->generation) return std::nullopt;
    return error{errc::io_error, path_ + ": opened before the crash (simulated)"};
  }

  [[nodiscard]] std::optional<error> refuse_write() const {
    if (auto dead = refuse_dead()) return dead;
    if (writable_) return std::nullopt;
    return error{errc::io_error, path_ + ": Bad file descriptor (opened for reading)"};
  }

  result<std::size_t> read(mutable_byte_span to, std::uint64_t position) {
    if (auto dead = refuse_dead()) return *dead;
    const auto verdict = state_->begin(sim_op::read, path_, position, to.size());
    if (verdict.failure) return *verdict.failure;
    for (const auto& bad : state_->bad_ranges) {
      if (bad.path == path_ && position < bad.position + bad.size &&
          bad.position < position + to.size()) {
        return error{errc::io_error, fmt::format("read at {} of {}: Input/output error (simulated)",
                                                 bad.position, path_)};
      }
    }
    return inode_->read(position, to);
  }

  /// The world stops after the effect of its last operation.
  status finish(const std::optional<error>& failure) {
    if (state_->stopped) state_->stop_world();
    if (failure) return *failure;
    return {};
  }

  std::shared_ptr<sim_state> state_;
  std::shared_ptr<sim_inode> inode_;
  std::string path_;
  bool writable_;
  std::uint64_t generation_;
};

}  // namespace

std::unique_ptr<storage::file> make_sim_file(std::shared_ptr<sim_state> state,
                                             std::shared_ptr<sim_inode> inode, std::string path,
                                             bool writable) {
  return std::make_unique<sim_file>(std::move(state), std::move(inode), std::move(path), writable);
}

}  // namespace cairn::testing
