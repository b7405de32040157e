#include "tests/support/sim_env.hpp"

#include "storage/base/check.hpp"
#include "tests/support/sim_state.hpp"

#include <algorithm>

namespace cairn::testing {

namespace {

class sim_lock final : public storage::directory_lock {
public:
  sim_lock(std::shared_ptr<sim_state> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)), generation_(state_->generation) {}
  ~sim_lock() override {
    const std::lock_guard guard(state_->mutex);
    if (generation_ == state_->generation) state_->locks.erase(path_);
  }
  sim_lock(const sim_lock&) = delete;
  sim_lock& operator=(const sim_lock&) = delete;

private:
  std::shared_ptr<sim_state> state_;
  std::string path_;
  std::uint64_t generation_;
};

error no_such(const std::string& path) {
  return {errc::not_found, path + " does not exist"};
}

error failed(std::string_view action, const std::string& path, std::string_view why) {
  return {errc::io_error, fmt::format("cannot {} {}: {}", action, path, why)};
}

/// Runs `effect` unless the verdict forbids it and turns the verdict into what the caller gets.
template <class Effect>
status carry_out(sim_state& state, const sim_verdict& verdict, Effect effect) {
  if (!verdict.failure || (verdict.may_take_effect && state.random.coin())) effect();
  if (state.stopped && verdict.may_take_effect) state.stop_world();
  if (verdict.failure) return *verdict.failure;
  return {};
}

}  // namespace

sim_env::sim_env(std::uint64_t seed) : state_(std::make_shared<sim_state>(seed)) {}
sim_env::~sim_env() = default;

// ---- storage::env

result<std::unique_ptr<storage::file>> sim_env::open(const std::string& path,
                                                     storage::open_mode mode) {
  const std::lock_guard guard(state_->mutex);
  auto* parent = state_->parent_of(path);
  const auto node = state_->find(path);
  if (node.directory) return failed("open", path, "Is a directory");
  if (mode != storage::open_mode::create) {
    const auto verdict = state_->begin(sim_op::open, path);
    if (verdict.failure) return *verdict.failure;
    if (!node.file) return no_such(path);
    return make_sim_file(state_, node.file, path, mode == storage::open_mode::read_write);
  }
  if (parent == nullptr) return failed("create", path, "No such file or directory");
  auto inode = node.file;
  const auto done = carry_out(*state_, state_->begin(sim_op::create, path), [&] {
    if (inode) {
      inode->truncate(0);
    } else {
      inode = std::make_shared<sim_inode>();
      parent->add(sim_base_name(path), {inode, nullptr});
    }
  });
  if (!done) return done.error();
  return make_sim_file(state_, inode, path, true);
}

status sim_env::rename(const std::string& from, const std::string& to) {
  const std::lock_guard guard(state_->mutex);
  const auto verdict = state_->begin(sim_op::rename, from + " -> " + to);
  auto* source = state_->parent_of(from);
  auto* target = state_->parent_of(to);
  const bool possible =
      source != nullptr && target != nullptr && source->find(sim_base_name(from)) != sim_node{};
  if (!possible && !verdict.failure) {
    return failed("rename " + from + " to", to, "No such file or directory");
  }
  return carry_out(*state_, verdict, [&] {
    if (possible) source->rename(sim_base_name(from), *target, sim_base_name(to));
  });
}

status sim_env::remove(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  const auto verdict = state_->begin(sim_op::remove, path);
  if (!verdict.failure && state_->find(path).directory) {
    return failed("remove", path, "Is a directory");
  }
  return carry_out(*state_, verdict, [&] {
    auto* parent = state_->parent_of(path);
    if (parent != nullptr && !state_->find(path).directory) parent->remove(sim_base_name(path));
  });
}

status sim_env::make_directories(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  return carry_out(*state_, state_->begin(sim_op::make_directories, path),
                   [&] { state_->make_parents(path + "/x"); });
}

result<std::vector<storage::directory_entry>> sim_env::list(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  const auto verdict = state_->begin(sim_op::list, path);
  if (verdict.failure) return *verdict.failure;
  const auto node = state_->find(path);
  if (node.file) return failed("list", path, "Not a directory");
  if (!node.directory) return no_such(path);
  std::vector<storage::directory_entry> entries;
  for (const auto& [name, child] : node.directory->cached()) {
    entries.push_back({name, child.directory != nullptr, child.file ? child.file->size() : 0});
  }
  // "In no order": callers must sort, so give them something to sort.
  for (std::size_t i = entries.size(); i > 1; --i)
    std::swap(entries[i - 1], entries[state_->public_random.below(i)]);
  return entries;
}

status sim_env::sync_directory(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  const auto node = state_->find(path);
  const auto verdict = state_->begin(sim_op::sync_directory, path);
  if (!verdict.failure && !node.directory) {
    return failed("sync directory", path, "No such file or directory");
  }
  return carry_out(*state_, verdict, [&] {
    if (node.directory) node.directory->sync();
  });
}

result<std::unique_ptr<storage::directory_lock>> sim_env::lock_directory(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  const auto verdict = state_->begin(sim_op::lock, path);
  if (!verdict.failure && !state_->find(path).directory) return no_such(path);
  const auto done = carry_out(*state_, verdict, [] {});
  if (!done) return done.error();
  if (state_->locks[path]) return error{errc::locked, path + " is in use"};
  state_->locks[path] = true;
  const auto directory = state_->find(path).directory;
  if (!directory->find("lock").file) directory->add("lock", {std::make_shared<sim_inode>(), {}});
  return std::unique_ptr<storage::directory_lock>(std::make_unique<sim_lock>(state_, path));
}

result<std::uint64_t> sim_env::free_bytes(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  if (state_->find(path) == sim_node{}) return no_such(path);
  if (!state_->capacity_bytes) return std::uint64_t{1} << 50U;
  const auto used = state_->used_bytes();
  return *state_->capacity_bytes - std::min(*state_->capacity_bytes, used);
}

unix_ms sim_env::now_ms() {
  const std::lock_guard guard(state_->mutex);
  return state_->now;
}

std::uint64_t sim_env::monotonic_ns() {
  const std::lock_guard guard(state_->mutex);
  return state_->monotonic;
}

std::uint64_t sim_env::random_u64() {
  const std::lock_guard guard(state_->mutex);
  return state_->public_random.next();
}

// ---- power

void sim_env::crash(crash_keep keep) {
  const std::lock_guard guard(state_->mutex);
  state_->root->crash(state_->random, keep, state_->order);
  state_->revive();
}

std::uint64_t sim_env::operations() const {
  const std::lock_guard guard(state_->mutex);
  return state_->operations;
}

void sim_env::stop_at(std::uint64_t operation) {
  const std::lock_guard guard(state_->mutex);
  state_->stop_operation = operation;
}

bool sim_env::stopped() const {
  const std::lock_guard guard(state_->mutex);
  return state_->stopped;
}

void sim_env::set_name_order(name_order order) {
  const std::lock_guard guard(state_->mutex);
  state_->order = order;
}

// ---- faults

void sim_env::fail(sim_op kind, std::uint64_t nth, errc code, std::string path_part) {
  CAIRN_CHECK(nth > 0, "faults count from 1");
  const std::lock_guard guard(state_->mutex);
  state_->faults.push_back({kind, nth, code, std::move(path_part)});
}

std::size_t sim_env::faults_left() const {
  const std::lock_guard guard(state_->mutex);
  return state_->faults.size();
}

void sim_env::clear_faults() {
  const std::lock_guard guard(state_->mutex);
  state_->faults.clear();
  state_->bad_ranges.clear();
}

void sim_env::set_capacity_bytes(std::optional<std::uint64_t> capacity_bytes) {
  const std::lock_guard guard(state_->mutex);
  state_->capacity_bytes = capacity_bytes;
}

std::uint64_t sim_env::used_bytes() const {
  const std::lock_guard guard(state_->mutex);
  return state_->used_bytes();
}

void sim_env::set_bad_range(const std::string& path, std::uint64_t position, std::uint64_t size) {
  const std::lock_guard guard(state_->mutex);
  state_->bad_ranges.push_back({path, position, size});
}

void sim_env::set_sync_hook(std::function<void(const std::string& path)> hook) {
  const std::lock_guard guard(state_->mutex);
  state_->sync_hook = std::move(hook);
}

void sim_env::set_reads_cached(bool cached) {
  const std::lock_guard guard(state_->mutex);
  state_->reads_cached = cached;
}

// ---- tampering

void sim_env::flip_bit(const std::string& path, std::uint64_t position, unsigned bit) {
  const std::lock_guard guard(state_->mutex);
  const auto inode = state_->must_find_file(path);
  CAIRN_CHECK(position < inode->size(), "{} has no byte {}", path, position);
  std::byte value{};
  [[maybe_unused]] const auto count = inode->read(position, {&value, 1});
  value ^= static_cast<std::byte>(1U << bit);
  inode->tamper(position, {&value, 1});
}

void sim_env::overwrite(const std::string& path, std::uint64_t position, byte_span bytes) {
  const std::lock_guard guard(state_->mutex);
  state_->must_find_file(path)->tamper(position, bytes);
}

void sim_env::put_file(const std::string& path, byte_span bytes) {
  const std::lock_guard guard(state_->mutex);
  state_->make_parents(path);
  auto* parent = state_->parent_of(path);
  auto inode = std::make_shared<sim_inode>();
  inode->tamper(0, bytes);
  parent->add(sim_base_name(path), {inode, nullptr});
  parent->sync();
}

void sim_env::resize_file(const std::string& path, std::uint64_t size_bytes) {
  const std::lock_guard guard(state_->mutex);
  state_->must_find_file(path)->tamper_size(size_bytes);
}

void sim_env::erase_file(const std::string& path) {
  const std::lock_guard guard(state_->mutex);
  [[maybe_unused]] const auto present = state_->must_find_file(path);
  auto* parent = state_->parent_of(path);
  parent->remove(sim_base_name(path));
  parent->sync();
}

void sim_env::swap_files(const std::string& a, const std::string& b) {
  const std::lock_guard guard(state_->mutex);
  auto first = state_->must_find_file(a);
  auto second = state_->must_find_file(b);
  state_->parent_of(a)->add(sim_base_name(a), {second, nullptr});
  state_->parent_of(b)->add(sim_base_name(b), {first, nullptr});
  state_->parent_of(a)->sync();
  state_->parent_of(b)->sync();
}

// ---- looking

bool sim_env::exists(const std::string& path) const {
  const std::lock_guard guard(state_->mutex);
  return state_->find(path) != sim_node{};
}

std::optional<std::vector<std::byte>> sim_env::durable_bytes(const std::string& path) const {
  const std::lock_guard guard(state_->mutex);
  const auto node = state_->find_durable(path);
  if (!node.file) return std::nullopt;
  return node.file->durable_bytes();
}

std::optional<std::size_t> sim_env::read_durable(const std::string& path, std::uint64_t position,
                                                 mutable_byte_span to) const {
  const std::lock_guard guard(state_->mutex);
  const auto node = state_->find_durable(path);
  if (!node.file) return std::nullopt;
  return node.file->read_durable(position, to);
}

std::vector<std::string> sim_env::durable_names(const std::string& path) const {
  const std::lock_guard guard(state_->mutex);
  std::vector<std::string> names;
  const auto node = state_->find_durable(path);
  if (!node.directory) return names;
  for (const auto& [name, child] : node.directory->durable())
    names.push_back(name);
  return names;
}

std::vector<std::byte> sim_env::bytes(const std::string& path) const {
  const std::lock_guard guard(state_->mutex);
  const auto inode = state_->must_find_file(path);
  std::vector<std::byte> all(inode->size());
  [[maybe_unused]] const auto count = inode->read(0, all);
  return all;
}

std::vector<std::string> sim_env::names(const std::string& path) const {
  const std::lock_guard guard(state_->mutex);
  const auto node = state_->find(path);
  CAIRN_CHECK(node.directory != nullptr, "no simulated directory {}", path);
  std::vector<std::string> names;
  for (const auto& [name, child] : node.directory->cached())
    names.push_back(name);
  return names;
}

std::unique_ptr<sim_env> sim_env::clone_crashed(std::uint64_t seed, crash_keep keep) const {
  const std::lock_guard guard(state_->mutex);
  auto copy = std::make_unique<sim_env>(seed);
  copy->state_->root = state_->root->clone();
  copy->state_->order = state_->order;
  copy->state_->capacity_bytes = state_->capacity_bytes;
  copy->state_->reads_cached = state_->reads_cached;
  copy->state_->now = state_->now;
  copy->state_->monotonic = state_->monotonic;
  copy->crash(keep);
  return copy;
}

std::string sim_env::recent_operations() const {
  const std::lock_guard guard(state_->mutex);
  return state_->describe_recent();
}

// ---- time

void sim_env::advance_ms(std::uint64_t milliseconds) {
  const std::lock_guard guard(state_->mutex);
  state_->now += static_cast<unix_ms>(milliseconds);
  state_->monotonic += milliseconds * 1'000'000;
}

void sim_env::set_monotonic_ns(std::uint64_t now) {
  const std::lock_guard guard(state_->mutex);
  CAIRN_CHECK(now >= state_->monotonic, "the monotonic clock goes back to {}", now);
  state_->monotonic = now;
}

void sim_env::set_now_ms(unix_ms now) {
  const std::lock_guard guard(state_->mutex);
  state_->now = now;
}

}  // namespace cairn::testing
