#include "tests/support/sim_directory.hpp"

#include <set>

namespace cairn::testing {

sim_node sim_directory::find(const std::string& name) const {
  const auto found = cached_.find(name);
  return found == cached_.end() ? sim_node{} : found->second;
}

void sim_directory::add(const std::string& name, sim_node node) {
  cached_[name] = node;
  pending_.push_back({{}, name, std::move(node)});
}

void sim_directory::remove(const std::string& name) {
  const auto found = cached_.find(name);
  if (found == cached_.end()) return;
  pending_.push_back({name, {}, found->second});
  cached_.erase(found);
}

void sim_directory::rename(const std::string& name, sim_directory& to, const std::string& to_name) {
  const auto node = find(name);
  if (&to == this) {
    if (name == to_name) return;
    cached_.erase(name);
    cached_[to_name] = node;
    pending_.push_back({name, to_name, node});
    return;
  }
  to.add(to_name, node);
  remove(name);
}

void sim_directory::sync() {
  for (const auto& change : pending_)
    apply(change);
  pending_.clear();
}

void sim_directory::apply(const unsynced& change) {
  if (!change.removed.empty()) {
    // Not if the name means something else by now: an earlier change may not have survived.
    const auto found = durable_.find(change.removed);
    if (found != durable_.end() && found->second == change.node) durable_.erase(found);
  }
  if (!change.added.empty()) durable_[change.added] = change.node;
}

void sim_directory::crash(sim_random& random, crash_keep keep, name_order order) {
  // Files first, in the order of the names: the same seed must give the same disk, whatever
  // addresses the allocator has handed out.
  std::set<const void*> seen;
  const auto visit = [&](const sim_node& node) {
    if (node.file && seen.insert(node.file.get()).second) node.file->crash(random, keep);
    if (node.directory && seen.insert(node.directory.get()).second) {
      node.directory->crash(random, keep, order);
    }
  };
  for (const auto& [name, node] : durable_)
    visit(node);
  for (const auto& change : pending_)
    visit(change.node);

  if (keep == crash_keep::at_random) {
    const auto draw = random.below(4);
    if (draw == 0) keep = crash_keep::all;
    if (draw == 1) keep = crash_keep::none;
  }
  std::size_t first = pending_.size();
  if (keep == crash_keep::none) first = 0;
  if (keep == crash_keep::at_random && order == name_order::journal) {
    first = random.below(pending_.size() + 1);
  }
  for (std::size_t i = 0; i < first; ++i) {
    if (keep == crash_keep::at_random && order == name_order::any_order && random.coin()) continue;
    apply(pending_[i]);
  }
  pending_.clear();
  cached_ = durable_;
}

void sim_directory::for_each_file(const std::function<void(sim_inode&)>& visit) const {
  const auto visit_node = [&](const sim_node& node) {
    if (node.file) visit(*node.file);
    if (node.directory) node.directory->for_each_file(visit);
  };
  for (const auto& [name, node] : cached_)
    visit_node(node);
  for (const auto& [name, node] : durable_)
    visit_node(node);
  for (const auto& change : pending_)
    visit_node(change.node);
}

sim_node sim_directory::clone_node(const sim_node& node, copies& done) {
  const void* key = node.file ? static_cast<const void*>(node.file.get())
                              : static_cast<const void*>(node.directory.get());
  if (key == nullptr) return {};
  if (const auto found = done.find(key); found != done.end()) return found->second;
  sim_node copy;
  if (node.file) {
    node.file->fold_mapping();
    copy.file = std::make_shared<sim_inode>(*node.file);
    copy.file->forget_mapping();
  } else {
    copy.directory = node.directory->clone_into(done);
  }
  done[key] = copy;
  return copy;
}

std::shared_ptr<sim_directory> sim_directory::clone_into(copies& done) const {
  auto copy = std::make_shared<sim_directory>();
  for (const auto& [name, node] : cached_)
    copy->cached_[name] = clone_node(node, done);
  for (const auto& [name, node] : durable_)
    copy->durable_[name] = clone_node(node, done);
  for (const auto& change : pending_) {
    copy->pending_.push_back({change.removed, change.added, clone_node(change.node, done)});
  }
  return copy;
}

std::shared_ptr<sim_directory> sim_directory::clone() const {
  copies done;
  return clone_into(done);
}

}  // namespace cairn::testing
