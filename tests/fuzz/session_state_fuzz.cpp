// A state of sessions as it may come with a snapshot, its checksum already right: taken or refused,
// and what is taken is written as it was read.
#include "actors/session_table.hpp"
#include "storage/base/check.hpp"
#include "storage/base/checksum.hpp"

#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  std::vector<std::byte> bytes(size + sizeof(std::uint64_t));
  if (size > 0) std::memcpy(bytes.data(), data, size);
  store_le(bytes.data() + size, checksum64(byte_span(bytes).first(size)));
  const auto table = actors::session_table::parse(bytes);
  if (!table) return 0;
  CAIRN_CHECK(table->serialize().text() == as_text(bytes), "written as something else");
  return 0;
}
