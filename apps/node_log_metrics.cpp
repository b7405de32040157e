#include "apps/node_log_metrics.hpp"

namespace cairn::apps {

void add_node_log_metrics(node_registry& registry, const node_log& log) {
  registry.add_source([&log](metric_families& to) {
    const auto counter = [&to](const char* name, const char* help, std::uint64_t value) {
      add_sample(add_family(to, name, help, prometheus::MetricType::Counter), {},
                 static_cast<double>(value));
    };
    counter("cairn_node_log_lines_total",
            "Lines of the node's own log since the start, lost ones included", log.lines());
    counter("cairn_node_log_lost_lines_total",
            "Lines given up because standard error was not read fast enough", log.lost_lines());
    counter("cairn_node_log_held_back_lines_total",
            "Repeated lines that were counted instead of written", log_lines_held_back());
  });
}

}  // namespace cairn::apps
