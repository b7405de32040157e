#include "storage/store_header.hpp"

#include "storage/base/checksum.hpp"

#include <string_view>

namespace cairn::storage {

namespace {

constexpr std::string_view k_magic = "CAIRNSTO";
constexpr std::size_t k_at_version = 8;
constexpr std::size_t k_at_header_bytes = 12;
constexpr std::size_t k_at_flags = 14;
constexpr std::size_t k_at_identity = 16;
constexpr std::size_t k_at_base_offset = 24;
constexpr std::size_t k_at_base_index = 32;
constexpr std::size_t k_at_base_time = 40;
constexpr std::size_t k_at_log_id = 48;
constexpr std::size_t k_at_checksum = 56;
constexpr std::uint16_t k_flag_recycled = 1;
static_assert(k_at_checksum + sizeof(std::uint64_t) == k_store_header_bytes);

}  // namespace

void encode_store_header(const store_header& header,
                         std::span<std::byte, k_store_header_bytes> to) {
  std::byte* p = to.data();
  std::memcpy(p, k_magic.data(), k_magic.size());
  store_le(p + k_at_version, k_store_version);
  store_le(p + k_at_header_bytes, static_cast<std::uint16_t>(k_store_header_bytes));
  store_le(p + k_at_flags, header.recycled ? k_flag_recycled : std::uint16_t{0});
  store_le(p + k_at_identity, header.identity);
  store_le(p + k_at_base_offset, header.base_offset.value());
  store_le(p + k_at_base_index, header.base_index.value());
  store_le(p + k_at_base_time, header.base_time_ms);
  store_le(p + k_at_log_id, header.log_id);
  store_le(p + k_at_checksum, checksum64(byte_span(to).first(k_at_checksum)));
}

result<store_header> decode_store_header(byte_span bytes, const std::string& path) {
  const auto bad = [&](std::string_view what) {
    return error{errc::corruption, fmt::format("{}: file header at position 0: {}", path, what)};
  };
  if (bytes.size() < k_store_header_bytes) return bad("cut short");
  const std::byte* p = bytes.data();
  if (as_text(bytes.first(k_magic.size())) != k_magic) return bad("not a store file");
  if (load_le<std::uint64_t>(p + k_at_checksum) != checksum64(bytes.first(k_at_checksum))) {
    return bad("checksum does not match");
  }
  const auto version = load_le<std::uint32_t>(p + k_at_version);
  if (version != k_store_version) {
    return bad(fmt::format("format version {}, this program reads {}", version, k_store_version));
  }
  if (load_le<std::uint16_t>(p + k_at_header_bytes) != k_store_header_bytes) {
    return bad("unknown header size");
  }
  return store_header{load_le<std::uint64_t>(p + k_at_identity),
                      record_offset(load_le<std::uint64_t>(p + k_at_base_offset)),
                      log_index(load_le<std::uint64_t>(p + k_at_base_index)),
                      load_le<unix_ms>(p + k_at_base_time),
                      load_le<std::uint64_t>(p + k_at_log_id),
                      (load_le<std::uint16_t>(p + k_at_flags) & k_flag_recycled) != 0};
}

}  // namespace cairn::storage
