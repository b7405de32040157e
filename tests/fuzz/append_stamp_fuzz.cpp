// A frame of stamped appends as it may come from a disk or a peer: walked to its end or refused,
// never read beyond its end, and every stamp that is taken means what the generated classes read.
#include "proto/append_stamp.hpp"
#include "proto/cairn/v1/record.pb.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  static auto* const k_quiet = google::protobuf::SetLogHandler(nullptr);
  (void)k_quiet;
  byte_span rest{reinterpret_cast<const std::byte*>(data), size};
  while (!rest.empty()) {
    const auto before = rest;
    const auto stamp = proto::next_stamp(rest);
    if (!stamp) {
      CAIRN_CHECK(rest.data() == before.data() && rest.size() == before.size(), "rest moved");
      return 0;
    }
    CAIRN_CHECK(proto::is_stamped(before), "a stamp without its first byte");
    const auto stamp_bytes = std::to_integer<std::size_t>(before[1]);
    CAIRN_CHECK(before.size() - rest.size() == 2 + stamp_bytes + stamp->record_bytes, "hop");
    v1::AppendStamp expected;
    CAIRN_CHECK(expected.ParseFromArray(before.data() + 2, static_cast<int>(stamp_bytes)),
                "the generated classes refuse what was taken");
    CAIRN_CHECK(stamp->record_bytes == expected.record_bytes(), "record_bytes");
    CAIRN_CHECK(stamp->record_count == expected.record_count(), "record_count");
    CAIRN_CHECK(stamp->body_hash == expected.body_hash(), "body_hash");
    CAIRN_CHECK(as_text(stamp->identity.hash) == expected.key_hash(), "key_hash");
    CAIRN_CHECK(stamp->identity.producer == expected.producer(), "producer");
    CAIRN_CHECK(stamp->identity.epoch == expected.epoch(), "epoch");
    CAIRN_CHECK(stamp->identity.seq == expected.seq(), "seq");
  }
  return 0;
}
