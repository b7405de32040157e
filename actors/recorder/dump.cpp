#include "actors/recorder/dump.hpp"

#include "actors/raft/archive_fields.hpp"
#include "storage/base/checksum.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string_view>

namespace cairn::actors {
namespace {

constexpr std::string_view k_magic = "CAIRNREC";
constexpr std::uint32_t k_version = 2;
constexpr std::size_t k_file_head_bytes = 16;     // magic, version, sections
constexpr std::size_t k_section_head_bytes = 24;  // kind, 0, size, checksum
constexpr std::uint32_t k_head_section = 1;
constexpr std::uint32_t k_chunk_section = 2;
constexpr std::size_t k_sections_max = 1 + 64;
constexpr std::size_t k_text_bytes_max = 4096;

/// Draws no number: nobody steps the core that it is for.
class no_random : public raft::random_source {
public:
  std::uint64_t next() override { return 0; }
};

template <class Archive, class T>
void pass_text(Archive& archive, T& text) {
  if constexpr (Archive::k_reads) {
    text = std::string(as_text(archive.raw(archive.number())));
  } else {
    archive.number(text.size());
    archive.raw(as_byte_span(text));
  }
}

template <class Archive, class T>
void pass_head(Archive& archive, T& head) {
  pass_text(archive, head.identity.node);
  pass_text(archive, head.identity.cluster_id);
  pass_text(archive, head.identity.log);
  pass_text(archive, head.identity.version);
  pass_text(archive, head.reason);
  pass(archive, head.written_ms, head.identity.tick_ns, head.identity.core);
}

void add_section(std::vector<std::byte>& file, std::uint32_t kind, byte_span prefix,
                 byte_span bytes) {
  std::array<std::byte, k_section_head_bytes> head{};
  store_le(head.data(), kind);
  store_le(head.data() + 8, std::uint64_t{prefix.size() + bytes.size()});
  // Under the kind, so that one section cannot pass for another.
  const std::array<byte_span, 2> pieces = {prefix, bytes};
  store_le(head.data() + 16, checksum64(pieces, kind));
  file.insert(file.end(), head.begin(), head.end());
  file.insert(file.end(), prefix.begin(), prefix.end());
  file.insert(file.end(), bytes.begin(), bytes.end());
}

error damaged(std::size_t at, std::string_view what) {
  return {errc::corruption, fmt::format("at byte {}: {}", at, what)};
}

// One step and what belongs to it.
bool read_step(raft::image_reader& from, std::uint64_t& now_us, std::uint8_t kind,
               dump_chunk& into) {
  switch (static_cast<recorded_kind>(kind)) {
    case recorded_kind::input:
    case recorded_kind::take: {
      // A step that never ended is the last one.
      if (!into.steps.empty() && !into.steps.back().fingerprint) return false;
      recorded_step step;
      now_us += from.number();
      step.at_us = now_us;
      if (static_cast<recorded_kind>(kind) == recorded_kind::input) {
        step.in.emplace();
        pass(from, *step.in);
      }
      into.steps.push_back(std::move(step));
      return !from.failed();
    }
    case recorded_kind::drawn:
    case recorded_kind::done:
      if (into.steps.empty() || into.steps.back().fingerprint) return false;
      if (static_cast<recorded_kind>(kind) == recorded_kind::drawn) {
        into.steps.back().draws.push_back(from.number());
      } else {
        const byte_span bytes = from.raw(sizeof(std::uint32_t));
        if (bytes.empty()) return false;
        into.steps.back().fingerprint = load_le<std::uint32_t>(bytes.data());
      }
      return !from.failed();
  }
  return false;
}

struct section {
  std::uint32_t kind = 0;
  std::size_t at = 0;  // of its bytes, in the file
  byte_span bytes;
};

result<std::vector<section>> read_sections(byte_span file) {
  if (file.size() < k_file_head_bytes || as_text(file.first(k_magic.size())) != k_magic) {
    return damaged(0, "this is no dump of a flight recorder (it does not begin with CAIRNREC)");
  }
  const auto version = load_le<std::uint32_t>(file.data() + 8);
  const auto count = load_le<std::uint32_t>(file.data() + 12);
  if (version != k_version) {
    return error{errc::unsupported,
                 fmt::format("at byte 8: version {}, this program reads {}", version, k_version)};
  }
  if (count == 1) {
    return damaged(12, "nothing was recorded: no image of the core's state has fit the ring");
  }
  if (count == 0 || count > k_sections_max) {
    return damaged(12, fmt::format("{} sections, expected 2 to {}", count, k_sections_max));
  }
  std::vector<section> sections;
  std::size_t at = k_file_head_bytes;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (file.size() - at < k_section_head_bytes) {
      return damaged(file.size(), fmt::format("the file ends within the head of section {} of {}",
                                              i + 1, count));
    }
    const std::byte* head = file.data() + at;
    const auto kind = load_le<std::uint32_t>(head);
    const auto size = load_le<std::uint64_t>(head + 8);
    const auto sum = load_le<std::uint64_t>(head + 16);
    if (load_le<std::uint32_t>(head + 4) != 0 ||
        kind != (i == 0 ? k_head_section : k_chunk_section)) {
      return damaged(at, fmt::format("section {} of {} is of an unknown kind", i + 1, count));
    }
    at += k_section_head_bytes;
    if (size > file.size() - at) {
      return damaged(file.size(), fmt::format("the file ends within section {} of {}: {} of its {} "
                                              "bytes are there",
                                              i + 1, count, file.size() - at, size));
    }
    const byte_span bytes = file.subspan(at, size);
    if (checksum64(bytes, kind) != sum) {
      return damaged(at, fmt::format("the checksum of section {} of {} is wrong", i + 1, count));
    }
    sections.push_back({kind, at, bytes});
    at += size;
  }
  if (at != file.size()) return damaged(at, "there is something behind the last section");
  return sections;
}

}  // namespace

std::vector<std::byte> encode_dump(const dump_head& head, const std::vector<raw_chunk>& chunks) {
  std::vector<std::byte> file;
  std::size_t expected = k_file_head_bytes + 2 * k_text_bytes_max;
  for (const raw_chunk& chunk : chunks)
    expected += k_section_head_bytes + 16 + chunk.bytes.size();
  file.reserve(expected);
  file.resize(k_file_head_bytes);
  std::memcpy(file.data(), k_magic.data(), k_magic.size());
  store_le(file.data() + 8, k_version);
  store_le(file.data() + 12, static_cast<std::uint32_t>(1 + chunks.size()));

  dump_head cut = head;
  for (std::string* text : {&cut.identity.node, &cut.identity.cluster_id, &cut.identity.log,
                            &cut.identity.version, &cut.reason}) {
    if (text->size() > k_text_bytes_max) text->resize(k_text_bytes_max);
  }
  std::vector<std::byte> bytes(6 * k_text_bytes_max);
  raft::image_writer to(bytes);
  pass_head(to, cut);
  add_section(file, k_head_section, byte_span(bytes).first(to.size_bytes()), {});
  for (const raw_chunk& chunk : chunks) {
    std::array<std::byte, sizeof(std::uint64_t)> sequence{};
    store_le(sequence.data(), chunk.sequence);
    add_section(file, k_chunk_section, sequence, chunk.bytes);
  }
  return file;
}

std::optional<dump_chunk> decode_chunk(const raft::core_config& config, const raw_chunk& raw,
                                       std::size_t& where) {
  dump_chunk chunk;
  chunk.sequence = raw.sequence;
  raft::image_reader from(raw.bytes);
  pass(from, chunk.continues, chunk.began_us, chunk.began_ms);
  const std::size_t image_at = from.position();
  no_random random;
  const bool good = raft::core::load(config, from, random) != nullptr;
  where = from.position();
  if (!good) return std::nullopt;
  chunk.image.assign(raw.bytes.begin() + static_cast<std::ptrdiff_t>(image_at),
                     raw.bytes.begin() + static_cast<std::ptrdiff_t>(from.position()));
  std::uint64_t now_us = chunk.began_us;
  while (!from.at_end()) {
    where = from.position();
    const std::uint8_t kind = from.byte();
    if (!read_step(from, now_us, kind, chunk)) return std::nullopt;
  }
  return chunk;
}

result<recorder_dump> decode_dump(byte_span file) {
  const auto sections = read_sections(file);
  if (!sections) return sections.error();
  recorder_dump dump;
  {
    raft::image_reader from(sections->front().bytes);
    pass_head(from, dump.head);
    if (from.failed() || !from.at_end()) {
      return damaged(sections->front().at + from.position(), "the head cannot be read");
    }
  }
  for (std::size_t i = 1; i < sections->size(); ++i) {
    const section& s = (*sections)[i];
    if (s.bytes.size() < sizeof(std::uint64_t)) return damaged(s.at, "a chunk without a number");
    const byte_span body = s.bytes.subspan(sizeof(std::uint64_t));
    const raw_chunk raw{load_le<std::uint64_t>(s.bytes.data()), {body.begin(), body.end()}};
    if (!dump.chunks.empty() && raw.sequence <= dump.chunks.back().sequence) {
      return damaged(s.at, "chunks are not in order");
    }
    std::size_t where = 0;
    auto chunk = decode_chunk(dump.head.identity.core, raw, where);
    if (!chunk) {
      return damaged(s.at + sizeof(std::uint64_t) + where,
                     fmt::format("chunk {} holds something that no recorder writes", raw.sequence));
    }
    dump.chunks.push_back(*std::move(chunk));
  }
  return dump;
}

}  // namespace cairn::actors
