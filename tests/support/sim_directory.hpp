#pragma once
// The name tree of the simulated disk. As for files, every directory has two images: the names that
// the kernel shows and the ones that a power cut leaves.

#include "tests/support/sim_disk.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cairn::testing {

class sim_directory;

/// What a name stands for: a file or a directory, never both.
struct sim_node {
  std::shared_ptr<sim_inode> file;
  std::shared_ptr<sim_directory> directory;

  bool operator==(const sim_node&) const = default;
};

/// In which order changes of names that were not synced survive a power cut.
enum class name_order : std::uint8_t {
  journal,   ///< the first k of a directory, as ext4 and XFS keep them
  any_order  ///< each on its own
};

class sim_directory {
public:
  using names = std::map<std::string, sim_node>;

  [[nodiscard]] const names& cached() const { return cached_; }
  [[nodiscard]] const names& durable() const { return durable_; }
  [[nodiscard]] sim_node find(const std::string& name) const;

  void add(const std::string& name, sim_node node);
  void remove(const std::string& name);
  /// Moves `name` of this directory to `to_name` of `to`, atomically also over a power cut if both
  /// are the same directory.
  void rename(const std::string& name, sim_directory& to, const std::string& to_name);

  /// Makes the names durable.
  void sync();
  /// Power cut, of this directory and everything below it.
  void crash(sim_random& random, crash_keep keep, name_order order);

  /// Every file below that still has a name in either image or had one since the last sync.
  void for_each_file(const std::function<void(sim_inode&)>& visit) const;

  /// An independent copy with all images and everything that is pending.
  [[nodiscard]] std::shared_ptr<sim_directory> clone() const;

private:
  /// `remove` and `add` take effect together. An empty name: nothing on that side.
  struct unsynced {
    std::string removed;
    std::string added;
    sim_node node;
  };
  using copies = std::map<const void*, sim_node>;

  void apply(const unsynced& change);
  [[nodiscard]] std::shared_ptr<sim_directory> clone_into(copies& done) const;
  [[nodiscard]] static sim_node clone_node(const sim_node& node, copies& done);

  names cached_;
  names durable_;
  std::vector<unsynced> pending_;
};

}  // namespace cairn::testing
