// A dump of a flight recorder, its checksums already right: taken or refused. What is taken can be
// begun, but not gone through: a check of the core may fail there, as it would have in the node.
#include "actors/recorder/dump.hpp"
#include "actors/recorder/replay.hpp"
#include "storage/base/check.hpp"

#include <cstdint>
#include <vector>

namespace {

using namespace cairn;

// Reads (size, bytes) pairs as chunks; the first byte says how many.
std::vector<actors::raw_chunk> chunks_of(byte_span data) {
  std::vector<actors::raw_chunk> chunks;
  const std::size_t count = 1 + std::to_integer<std::size_t>(data[0]) % 4;
  const std::size_t each = (data.size() - 1) / count;
  for (std::size_t i = 0; i < count; ++i) {
    const byte_span bytes = data.subspan(1 + i * each, each);
    chunks.push_back({i + 1, {bytes.begin(), bytes.end()}});
  }
  return chunks;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const byte_span bytes(reinterpret_cast<const std::byte*>(data), size);
  (void)actors::decode_dump(bytes);
  actors::dump_head head;
  head.identity.core.self = raft::node_id(1);
  const auto dump = actors::decode_dump(actors::encode_dump(head, chunks_of(bytes)));
  if (!dump) return 0;
  const actors::replay run(*dump);
  CAIRN_CHECK(run.core().status().self == raft::node_id(1), "begun as another node");
  return 0;
}
