#include "actors/type_ids.hpp"

#include "actors/inspect/inspect_type_ids.hpp"

#include <caf/init_global_meta_objects.hpp>
#include <caf/io/middleman.hpp>
#include <mutex>

namespace cairn::actors {

void init_type_ids() {
  static std::once_flag once;
  std::call_once(once, [] {
    caf::init_global_meta_objects<caf::id_block::cairn>();
    caf::init_global_meta_objects<caf::id_block::cairn_inspect>();
    caf::io::middleman::init_global_meta_objects();
    caf::core::init_global_meta_objects();
  });
}

}  // namespace cairn::actors
