#include "tests/unit/recorder/recorded_trio.hpp"

namespace cairn::testing {
namespace {

std::vector<std::byte> a_dump() {
  recorded_trio trio(8 * 1024);
  const std::uint64_t leader = trio.elect();
  for (int i = 0; i < 100; ++i)
    trio.propose(leader, 100);
  return trio.recorder(leader).dump("asked for", 1'700'000'000'123);
}

}  // namespace

TEST_CASE("recorder dump: the head comes back as it was") {
  const auto dump = actors::decode_dump(a_dump());
  REQUIRE(dump.ok());
  CHECK(dump->head.reason == "asked for");
  CHECK(dump->head.written_ms == 1'700'000'000'123);
  CHECK(dump->head.identity.log == "default");
  CHECK(dump->head.identity.tick_ns == 50'000'000);
  CHECK(dump->head.identity.core.election_ticks == raft::core_config{}.election_ticks);
  CHECK(dump->chunks.size() > 1);
}

TEST_CASE("recorder dump: one cut short anywhere is refused, with the place") {
  const auto whole = a_dump();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto dump = actors::decode_dump(byte_span(whole).first(size));
    REQUIRE_FALSE(dump.ok());
    CHECK(dump.error().detail.starts_with("at byte "));
  }
}

TEST_CASE("recorder dump: a byte that is changed anywhere is noticed") {
  auto bytes = a_dump();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::byte was = bytes[i];
    bytes[i] ^= std::byte{0x41};
    CHECK_MESSAGE(!actors::decode_dump(bytes).ok(), i);
    bytes[i] = was;
  }
  CHECK(actors::decode_dump(bytes).ok());
}

TEST_CASE("recorder dump: foreign files, other versions and empty recordings have names") {
  const auto foreign = actors::decode_dump(as_byte_span("#!/bin/sh\necho hello, world\n"));
  CHECK(foreign.error().detail.find("no dump of a flight recorder") != std::string::npos);
  auto bytes = a_dump();
  bytes[8] = std::byte{9};
  const auto newer = actors::decode_dump(bytes);
  CHECK(newer.code() == errc::unsupported);
  CHECK(newer.error().detail.find("version 9") != std::string::npos);
  const auto empty = actors::decode_dump(actors::encode_dump({}, {}));
  CHECK(empty.error().detail.find("nothing was recorded") != std::string::npos);
  bytes = a_dump();
  bytes.push_back(std::byte{0});
  const auto longer = actors::decode_dump(bytes);
  CHECK(longer.error().detail.find("behind the last section") != std::string::npos);
}

TEST_CASE("recorder dump: a state that no core can have is refused even if its checksum is right") {
  const auto dump = actors::decode_dump(a_dump());
  REQUIRE(dump.ok());
  const actors::dump_chunk& chunk = dump->chunks.front();
  actors::raw_chunk raw{chunk.sequence, {}};
  raw.bytes.assign(3, std::byte{0});  // continues, began_us, began_ms
  raw.bytes.insert(raw.bytes.end(), chunk.image.begin(), chunk.image.end());
  std::size_t where = 0;
  CHECK(actors::decode_chunk(dump->head.identity.core, raw, where).has_value());
  std::size_t refused = 0;
  for (std::size_t i = 3; i < raw.bytes.size(); ++i) {
    actors::raw_chunk bad = raw;
    bad.bytes[i] = std::byte{0xff};
    refused += actors::decode_chunk(dump->head.identity.core, bad, where).has_value() ? 0 : 1;
  }
  CHECK(refused > raw.bytes.size() / 4);
}

}  // namespace cairn::testing
