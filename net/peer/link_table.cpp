#include "net/peer/link_table.hpp"

namespace cairn::net {

link_table::decision link_table::judge(const peer_hello& hello, time_point now) const {
  if (const auto* existing = find(hello.node_id)) {
    if (existing->data_id != hello.data_id) return {peer_refusal::data_directory, false};
    if (existing->incarnation == hello.incarnation && now - existing->since < settle_)
      return {peer_refusal::already_linked, false};
  }
  if (dialling_.count(hello.node_id) != 0) {
    if (self_ < hello.node_id) return {peer_refusal::crossed, false};
    return {peer_refusal::none, true};
  }
  return {};
}

bool link_table::dial_goes_first(const std::string& node) const {
  return find(node) == nullptr && (sessions_.count(node) == 0 || self_ < node);
}

void link_table::session_ends(const std::string& node, std::uint64_t session) {
  const auto found = sessions_.find(node);
  if (found != sessions_.end() && found->second == session) sessions_.erase(found);
}

bool link_table::lost(const std::string& node, std::uint64_t session) {
  const auto found = links_.find(node);
  if (found == links_.end() || found->second.session != session) return false;
  links_.erase(found);
  return true;
}

const link_table::link* link_table::find(const std::string& node) const {
  const auto found = links_.find(node);
  return found == links_.end() ? nullptr : &found->second;
}

}  // namespace cairn::net
