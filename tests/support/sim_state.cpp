#include "tests/support/sim_state.hpp"

#include "storage/base/check.hpp"

#include <set>

namespace cairn::testing {

namespace {

constexpr std::size_t k_recent_count_max = 100;

std::string_view name_of(sim_op kind) {
  switch (kind) {
    case sim_op::create:
      return "create";
    case sim_op::write:
      return "write";
    case sim_op::allocate:
      return "allocate";
    case sim_op::sync_data:
      return "sync_data";
    case sim_op::truncate:
      return "truncate";
    case sim_op::rename:
      return "rename";
    case sim_op::remove:
      return "remove";
    case sim_op::make_directories:
      return "make_directories";
    case sim_op::sync_directory:
      return "sync_directory";
    case sim_op::lock:
      return "lock";
    case sim_op::open:
      return "open";
    case sim_op::read:
      return "read";
    case sim_op::map:
      return "map";
    case sim_op::list:
      return "list";
  }
  return "?";
}

bool changes_disk(sim_op kind) {
  return kind <= sim_op::lock;
}

}  // namespace

std::vector<std::string> sim_split_path(const std::string& path) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const auto end = std::min(path.find('/', begin), path.size());
    auto name = path.substr(begin, end - begin);
    if (!name.empty() && name != ".") names.push_back(std::move(name));
    begin = end + 1;
  }
  return names;
}

std::string sim_base_name(const std::string& path) {
  auto names = sim_split_path(path);
  return names.empty() ? std::string{} : std::move(names.back());
}

sim_verdict sim_state::begin(sim_op kind, const std::string& path, std::uint64_t position,
                             std::uint64_t size) {
  sim_verdict verdict;
  if (stopped) {
    verdict.failure = error{
        errc::io_error, fmt::format("{} of {}: the disk is gone (simulated)", name_of(kind), path)};
    return verdict;
  }
  if (changes_disk(kind)) ++operations;
  for (auto fault = faults.begin(); fault != faults.end();) {
    const bool hit = fault->kind == kind && path.find(fault->path_part) != std::string::npos;
    if (!hit || --fault->countdown > 0) {
      ++fault;
      continue;
    }
    verdict.failure = error{
        fault->code, fmt::format("{} of {} at {}: {} (simulated)", name_of(kind), path, position,
                                 fault->code == errc::disk_full ? "No space left on device"
                                                                : "Input/output error")};
    verdict.may_take_effect = true;
    fault = faults.erase(fault);
  }
  if (changes_disk(kind) && stop_operation && operations >= *stop_operation) {
    verdict.failure = error{
        errc::io_error, fmt::format("{} of {}: the power is cut (simulated)", name_of(kind), path)};
    verdict.may_take_effect = true;
    stopped = true;
  }
  recent_.push_back({operations, kind, path, position, size,
                     verdict.failure ? verdict.failure->code : errc::none});
  if (recent_.size() > k_recent_count_max) recent_.pop_front();
  return verdict;
}

void sim_state::stop_world() {
  stopped = true;
  visit_files([](sim_inode& inode) { inode.detach_mapping(); });
}

void sim_state::revive() {
  ++generation;
  stopped = false;
  stop_operation.reset();
  faults.clear();
  locks.clear();
}

std::string sim_state::describe_recent() const {
  std::string text;
  for (const auto& entry : recent_) {
    text += fmt::format("#{} {} {} at {} size {}: {}\n", entry.operation, name_of(entry.kind),
                        entry.path, entry.position, entry.size, to_string(entry.outcome));
  }
  return text;
}

sim_directory* sim_state::parent_of(const std::string& path) const {
  auto names = sim_split_path(path);
  if (names.empty()) return nullptr;
  names.pop_back();
  sim_directory* at = root.get();
  for (const auto& name : names) {
    at = at->find(name).directory.get();
    if (at == nullptr) return nullptr;
  }
  return at;
}

sim_node sim_state::find(const std::string& path) const {
  if (sim_split_path(path).empty()) return {nullptr, root};
  const auto* parent = parent_of(path);
  return parent == nullptr ? sim_node{} : parent->find(sim_base_name(path));
}

sim_node sim_state::find_durable(const std::string& path) const {
  sim_node at{nullptr, root};
  for (const auto& name : sim_split_path(path)) {
    if (!at.directory) return {};
    const auto& names = at.directory->durable();
    const auto found = names.find(name);
    if (found == names.end()) return {};
    at = sim_node(found->second);
  }
  return at;
}

std::shared_ptr<sim_inode> sim_state::must_find_file(const std::string& path) const {
  auto node = find(path);
  CAIRN_CHECK(node.file != nullptr, "no simulated file {}", path);
  return node.file;
}

void sim_state::make_parents(const std::string& path) {
  auto names = sim_split_path(path);
  sim_directory* at = root.get();
  for (std::size_t i = 0; i + 1 < names.size(); ++i) {
    auto next = at->find(names[i]).directory;
    if (!next) {
      next = std::make_shared<sim_directory>();
      at->add(names[i], {nullptr, next});
      at->sync();
    }
    at = next.get();
  }
}

void sim_state::visit_files(const std::function<void(sim_inode&)>& visit) const {
  std::set<const sim_inode*> seen;
  root->for_each_file([&](sim_inode& inode) {
    if (seen.insert(&inode).second) visit(inode);
  });
}

std::uint64_t sim_state::used_bytes() const {
  std::uint64_t total = 0;
  visit_files([&](sim_inode& inode) { total += inode.allocated_bytes(); });
  return total;
}

std::optional<error> sim_state::refuse_growth(const std::string& path,
                                              std::uint64_t growth_bytes) const {
  if (!capacity_bytes || growth_bytes == 0) return std::nullopt;
  const auto used = used_bytes();
  if (used + growth_bytes <= *capacity_bytes) return std::nullopt;
  return error{
      errc::disk_full,
      fmt::format("{}: No space left on device (simulated: {} of {} bytes used, {} wanted)", path,
                  used, *capacity_bytes, growth_bytes)};
}

}  // namespace cairn::testing
