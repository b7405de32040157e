#include "proto/cluster_requests.hpp"

#include "proto/cluster_wire.hpp"

#include <fmt/format.h>

namespace cairn::proto {

namespace {

using wire::check_text;

constexpr std::uint32_t k_deadline_ms_max = 600'000;
constexpr std::uint32_t k_errc_max = 255;
constexpr std::size_t k_log_name_bytes_max = 128;

error bad(std::string detail) {
  return {errc::invalid_argument, std::move(detail)};
}

void write(const announce_request& from, cairn::v1::ClusterRequest& to) {
  wire::to_wire(from.node, *to.mutable_announce()->mutable_node());
  to.mutable_announce()->set_cluster_id(from.cluster_id);
}
void write(const remove_request& from, cairn::v1::ClusterRequest& to) {
  to.mutable_remove()->set_node_id(from.node_id);
}
void write(const transfer_request& from, cairn::v1::ClusterRequest& to) {
  to.mutable_transfer()->set_log(from.log);
  to.mutable_transfer()->set_node_id(from.node_id);
}
void write(const invite_request& from, cairn::v1::ClusterRequest& to) {
  auto& invite = *to.mutable_invite();
  invite.set_node_id(from.node_id);
  invite.set_cluster_id(from.cluster_id);
  for (const auto& peer : from.peers)
    invite.add_peers(peer);
}

result<announce_request> read(const cairn::v1::AnnounceRequest& from) {
  announce_request out{.node = wire::from_wire(from.node()), .cluster_id = from.cluster_id()};
  if (auto valid = validate(out.node); !valid) return valid.error();
  auto id = check_text("cluster_id", out.cluster_id, k_id_bytes_max, out.node.number != 0);
  if (!id) return id.error();
  return out;
}

result<remove_request> read(const cairn::v1::RemoveRequest& from) {
  auto id = check_text("node_id", from.node_id(), k_node_id_bytes_max, true);
  if (!id) return id.error();
  return remove_request{from.node_id()};
}

result<transfer_request> read(const cairn::v1::TransferRequest& from) {
  auto id = check_text("node_id", from.node_id(), k_node_id_bytes_max, false);
  if (!id) return id.error();
  auto log = check_text("log", from.log(), k_log_name_bytes_max, true);
  if (!log) return log.error();
  return transfer_request{.log = from.log(), .node_id = from.node_id()};
}

result<invite_request> read(const cairn::v1::InviteRequest& from) {
  invite_request out{.node_id = from.node_id(), .cluster_id = from.cluster_id(), .peers = {}};
  auto id = check_text("node_id", out.node_id, k_node_id_bytes_max, true);
  if (!id) return id.error();
  auto cluster = check_text("cluster_id", out.cluster_id, k_id_bytes_max, true);
  if (!cluster) return cluster.error();
  const auto count = static_cast<std::size_t>(from.peers_size());
  if (count == 0 || count > k_invite_peers_max) {
    return bad(fmt::format("{} peers, from 1 to {}", count, k_invite_peers_max));
  }
  for (const auto& peer : from.peers()) {
    if (auto ok = check_text("peers", peer, k_address_bytes_max, true); !ok) return ok.error();
    out.peers.push_back(peer);
  }
  return out;
}

/// Puts what read() made of it into the request, or says why it could not.
template <class Message>
status take(const Message& from, cluster_request& to) {
  auto got = read(from);
  if (!got) return got.error();
  to.ask = *std::move(got);
  return {};
}

}  // namespace

shared_bytes encode(const cluster_request& request) {
  cairn::v1::ClusterRequest message;
  message.set_id(request.id);
  message.set_forwarded(request.forwarded);
  message.set_deadline_ms(request.deadline_ms);
  std::visit([&](const auto& ask) { write(ask, message); }, request.ask);
  return wire::serialized(message);
}

result<cluster_request> decode_cluster_request(byte_span bytes) {
  cairn::v1::ClusterRequest message;
  if (!wire::parse(bytes, message)) return bad("not a ClusterRequest");
  cluster_request out{.id = message.id(),
                      .forwarded = message.forwarded(),
                      .deadline_ms = message.deadline_ms(),
                      .ask = {}};
  if (out.deadline_ms > k_deadline_ms_max) {
    return bad(fmt::format("deadline_ms is {}, at most {}", out.deadline_ms, k_deadline_ms_max));
  }
  status taken;
  switch (message.ask_case()) {
    case cairn::v1::ClusterRequest::kAnnounce:
      taken = take(message.announce(), out);
      break;
    case cairn::v1::ClusterRequest::kRemove:
      taken = take(message.remove(), out);
      break;
    case cairn::v1::ClusterRequest::kTransfer:
      taken = take(message.transfer(), out);
      break;
    case cairn::v1::ClusterRequest::kInvite:
      taken = take(message.invite(), out);
      break;
    case cairn::v1::ClusterRequest::ASK_NOT_SET:
      return error{errc::unsupported, "a request that this version does not know"};
  }
  if (!taken) return taken.error();
  return out;
}

shared_bytes encode(const cluster_answer& answer) {
  cairn::v1::ClusterAnswer message;
  message.set_id(answer.id);
  message.set_code(static_cast<std::uint32_t>(answer.code));
  message.set_detail(answer.detail.substr(0, k_detail_bytes_max));
  message.set_final(answer.final);
  message.set_cluster_id(answer.cluster_id);
  message.set_number(answer.number);
  if (!answer.context.members.empty()) wire::to_wire(answer.context, *message.mutable_context());
  message.set_leader(answer.leader);
  return wire::serialized(message);
}

result<cluster_answer> decode_cluster_answer(byte_span bytes) {
  cairn::v1::ClusterAnswer message;
  if (!wire::parse(bytes, message)) return bad("not a ClusterAnswer");
  if (message.code() > k_errc_max) return bad(fmt::format("code is {}", message.code()));
  cluster_answer out{.id = message.id(),
                     .code = static_cast<errc>(message.code()),
                     .detail = message.detail(),
                     .final = message.final(),
                     .cluster_id = message.cluster_id(),
                     .number = message.number(),
                     .context = {},
                     .leader = message.leader()};
  for (const auto& checked : {check_text("detail", out.detail, k_detail_bytes_max, false),
                              check_text("cluster_id", out.cluster_id, k_id_bytes_max, false),
                              check_text("leader", out.leader, k_node_id_bytes_max, false)}) {
    if (!checked) return checked.error();
  }
  if (message.has_context()) {
    auto context = wire::from_wire(message.context());
    if (!context) return context.error();
    out.context = *std::move(context);
  }
  return out;
}

}  // namespace cairn::proto
