#pragma once
// Between the structs of cluster_context.hpp and the generated classes. For proto/ alone.

#include "proto/cairn/v1/cluster.pb.h"
#include "proto/cluster_context.hpp"

namespace cairn::proto::wire {

void to_wire(const cluster_member& from, cairn::v1::ClusterMember& to);
void to_wire(const cluster_context& from, cairn::v1::ClusterContext& to);
[[nodiscard]] cluster_member from_wire(const cairn::v1::ClusterMember& from);
/// Valid, or invalid_argument.
[[nodiscard]] result<cluster_context> from_wire(const cairn::v1::ClusterContext& from);

[[nodiscard]] shared_bytes serialized(const google::protobuf::MessageLite& message);
[[nodiscard]] bool parse(byte_span bytes, google::protobuf::MessageLite& message);

/// invalid_argument unless `text` has at most `most` bytes, none of them a control character, and,
/// if `needed`, at least one.
[[nodiscard]] status check_text(std::string_view field, std::string_view text, std::size_t most,
                                bool needed);

}  // namespace cairn::proto::wire
