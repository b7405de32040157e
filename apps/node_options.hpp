#pragma once
// The table of settings.

#include "apps/node_config.hpp"

#include <functional>
#include <string>
#include <vector>

namespace cairn::apps {

struct node_option {
  std::string name;      ///< as a flag without dashes; `node-id` is CAIRN_NODE_ID and node_id too
  std::string value;     ///< what stands behind it in the help; empty for a switch
  std::string fallback;  ///< the default, as text
  std::string help;
  /// Stores the value, or says what is wrong with it.
  std::function<status(node_config&, const std::string& text)> set;

  [[nodiscard]] std::string flag() const { return "--" + name; }
  [[nodiscard]] std::string variable() const;  ///< CAIRN_NODE_ID
  [[nodiscard]] std::string key() const;       ///< node_id
};

[[nodiscard]] const std::vector<node_option>& node_options();

}  // namespace cairn::apps
