#include "apps/inspect_hooks.hpp"

#include "apps/process_facts.hpp"
#include "apps/version.hpp"

#include <filesystem>
#include <unistd.h>

namespace cairn::apps {

std::function<void(v1::NodeFacts&)> process_facts_hook(process_sources sources) {
  return [from = std::move(sources)](v1::NodeFacts& facts) {
    facts.set_version(std::string(k_version));
    facts.set_pid(static_cast<std::uint32_t>(getpid()));
    facts.set_started_ms(from.started_ms);
    facts.set_peer(from.peer);
    facts.set_http(from.http->get());
    facts.set_data_dir(from.data_dir);
    std::error_code failed;
    const auto disk = std::filesystem::space(from.data_dir, failed);
    if (!failed) {
      facts.set_disk_bytes(disk.capacity);
      facts.set_disk_free_bytes(disk.available);
    }
    facts.set_resident_bytes(process_resident_bytes());
    facts.set_cpu_ns(static_cast<std::uint64_t>(process_cpu_seconds() * 1e9));
    facts.set_threads(static_cast<std::uint32_t>(process_threads()));
    facts.set_observers(from.observers());
    facts.set_open_files(static_cast<std::uint32_t>(process_open_files()));
  };
}

}  // namespace cairn::apps
