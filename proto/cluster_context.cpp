#include "proto/cluster_context.hpp"

#include "proto/cluster_wire.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

namespace cairn::proto {

namespace wire {

void to_wire(const cluster_member& from, cairn::v1::ClusterMember& to) {
  to.set_number(from.number);
  to.set_node_id(from.node_id);
  to.set_data_id(from.data_id);
  to.set_peer(from.peer);
  to.set_http(from.http);
  to.set_grpc(from.grpc);
  to.set_zone(from.zone);
}

void to_wire(const cluster_context& from, cairn::v1::ClusterContext& to) {
  to.set_cluster_id(from.cluster_id);
  to.set_next_number(from.next_number);
  for (const auto& member : from.members)
    to_wire(member, *to.add_members());
}

cluster_member from_wire(const cairn::v1::ClusterMember& from) {
  return {.number = from.number(),
          .node_id = from.node_id(),
          .data_id = from.data_id(),
          .peer = from.peer(),
          .http = from.http(),
          .grpc = from.grpc(),
          .zone = from.zone()};
}

result<cluster_context> from_wire(const cairn::v1::ClusterContext& from) {
  if (static_cast<std::size_t>(from.members_size()) > k_context_members_max) {
    return error{errc::invalid_argument,
                 fmt::format("{} members, at most {}", from.members_size(), k_context_members_max)};
  }
  cluster_context context{
      .cluster_id = from.cluster_id(), .next_number = from.next_number(), .members = {}};
  for (const auto& member : from.members())
    context.members.push_back(from_wire(member));
  if (auto valid = validate(context); !valid) return valid.error();
  return context;
}

shared_bytes serialized(const google::protobuf::MessageLite& message) {
  const auto size = message.ByteSizeLong();
  auto buffer = std::make_shared_for_overwrite<std::byte[]>(size);
  const bool done = message.SerializeToArray(buffer.get(), static_cast<int>(size));
  CAIRN_CHECK(done, "a message that cannot be serialized");
  const byte_span bytes(buffer.get(), size);
  return {std::move(buffer), bytes};
}

bool parse(byte_span bytes, google::protobuf::MessageLite& message) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

status check_text(std::string_view field, std::string_view text, std::size_t most, bool needed) {
  const auto wrong = [&](std::string_view what) {
    return error{errc::invalid_argument, fmt::format("{} {}", field, what)};
  };
  if (needed && text.empty()) return wrong("is missing");
  if (text.size() > most) return wrong(fmt::format("has {} bytes, at most {}", text.size(), most));
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control) return wrong("has a control character");
  return {};
}

}  // namespace wire

const cluster_member* cluster_context::by_number(std::uint64_t number) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const auto& member) { return member.number == number; });
  return found == members.end() ? nullptr : &*found;
}

const cluster_member* cluster_context::by_node_id(std::string_view node_id) const {
  const auto found = std::find_if(members.rbegin(), members.rend(),
                                  [&](const auto& member) { return member.node_id == node_id; });
  return found == members.rend() ? nullptr : &*found;
}

status validate(const cluster_member& member) {
  using wire::check_text;
  if (auto ok = check_text("node_id", member.node_id, k_node_id_bytes_max, true); !ok) return ok;
  const auto in_member = [&](const status& checked) {
    return error{errc::invalid_argument,
                 fmt::format("member {}: {}", member.node_id, checked.error().detail)};
  };
  for (const auto& checked : {check_text("data_id", member.data_id, k_id_bytes_max, true),
                              check_text("peer", member.peer, k_address_bytes_max, true),
                              check_text("http", member.http, k_address_bytes_max, false),
                              check_text("grpc", member.grpc, k_address_bytes_max, false),
                              check_text("zone", member.zone, k_zone_bytes_max, false)}) {
    if (!checked) return in_member(checked);
  }
  return {};
}

status validate(const cluster_context& context) {
  auto id = wire::check_text("cluster_id", context.cluster_id, k_id_bytes_max, true);
  if (!id) return id;
  if (context.members.size() > k_context_members_max) {
    return error{
        errc::invalid_argument,
        fmt::format("{} members, at most {}", context.members.size(), k_context_members_max)};
  }
  std::uint64_t last = 0;
  for (const auto& member : context.members) {
    if (auto valid = validate(member); !valid) return valid;
    if (member.number <= last || member.number >= context.next_number) {
      return error{errc::invalid_argument,
                   fmt::format("member {}: number {} is not between {} and {}", member.node_id,
                               member.number, last, context.next_number)};
    }
    last = member.number;
  }
  return {};
}

shared_bytes encode(const cluster_context& context) {
  cairn::v1::ClusterContext message;
  wire::to_wire(context, message);
  return wire::serialized(message);
}

result<cluster_context> decode_cluster_context(byte_span bytes) {
  cairn::v1::ClusterContext message;
  if (!wire::parse(bytes, message)) {
    return error{errc::invalid_argument, "not a ClusterContext"};
  }
  return wire::from_wire(message);
}

}  // namespace cairn::proto
