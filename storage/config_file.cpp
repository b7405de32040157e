#include "storage/config_file.hpp"

#include "storage/base/checksum.hpp"
#include "storage/whole_file.hpp"

#include <array>
#include <fmt/format.h>
#include <tuple>

namespace cairn::storage {

namespace {

// Byte positions of the fields, see docs/formats/log_configs.md.
constexpr std::uint64_t k_magic = 0x4746434e52494143;  // "CAIRNCFG"
constexpr std::uint32_t k_version = 1;
constexpr std::size_t k_at_version = 8;
constexpr std::size_t k_at_count = 12;
constexpr std::size_t k_head_bytes = 16;
constexpr std::size_t k_at_config_term = 8;
constexpr std::size_t k_at_config_bytes = 16;
constexpr std::size_t k_at_state_bytes = 20;
constexpr std::size_t k_config_head_bytes = 24;
constexpr std::size_t k_checksum_bytes = 8;
// Far more than is ever written: states come with installs, and two of them are kept at most.
constexpr std::uint64_t k_file_bytes_max =
    k_head_bytes + k_configs_max * (k_config_head_bytes + k_config_bytes_max) +
    4 * k_start_state_bytes_max + k_checksum_bytes;

void append_bytes(std::vector<std::byte>& to, byte_span bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace

std::vector<std::byte> encode_configs(const std::vector<stored_config>& configs) {
  CAIRN_CHECK(configs.size() <= k_configs_max, "{} configurations", configs.size());
  std::vector<std::byte> bytes(k_head_bytes);
  store_le(bytes.data(), k_magic);
  store_le(bytes.data() + k_at_version, k_version);
  store_le(bytes.data() + k_at_count, static_cast<std::uint32_t>(configs.size()));
  for (const auto& config : configs) {
    CAIRN_CHECK(config.payload.size() <= k_config_bytes_max &&
                    config.state.size() <= k_start_state_bytes_max,
                "configuration of {} and {} bytes", config.payload.size(), config.state.size());
    std::array<std::byte, k_config_head_bytes> head{};
    store_le(head.data(), config.index.value());
    store_le(head.data() + k_at_config_term, config.term.value());
    store_le(head.data() + k_at_config_bytes, static_cast<std::uint32_t>(config.payload.size()));
    store_le(head.data() + k_at_state_bytes, static_cast<std::uint32_t>(config.state.size()));
    append_bytes(bytes, head);
    append_bytes(bytes, config.payload.span());
    append_bytes(bytes, config.state.span());
  }
  std::array<std::byte, k_checksum_bytes> checksum{};
  store_le(checksum.data(), checksum64(byte_span(bytes)));
  append_bytes(bytes, checksum);
  return bytes;
}

result<std::vector<stored_config>> decode_configs(const shared_bytes& bytes,
                                                  const std::string& path) {
  const auto bad = [&](std::string_view why) {
    return error{errc::corruption, fmt::format("{}: {}", path, why)};
  };
  if (bytes.size() < k_head_bytes + k_checksum_bytes) return bad("cut short");
  const std::size_t end = bytes.size() - k_checksum_bytes;
  if (load_le<std::uint64_t>(bytes.data() + end) != checksum64(bytes.span().first(end))) {
    return bad("the checksum does not match");
  }
  if (load_le<std::uint64_t>(bytes.data()) != k_magic) return bad("not a file of configurations");
  const auto version = load_le<std::uint32_t>(bytes.data() + k_at_version);
  if (version != k_version) return bad(fmt::format("version {} is not known", version));
  const auto count = load_le<std::uint32_t>(bytes.data() + k_at_count);
  if (count > k_configs_max) return bad("impossible sizes");
  std::vector<stored_config> configs;
  std::size_t at = k_head_bytes;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (end - at < k_config_head_bytes) return bad("impossible sizes");
    const std::byte* head = bytes.data() + at;
    stored_config config;
    config.index = log_index(load_le<std::uint64_t>(head));
    config.term = term_id(load_le<std::uint64_t>(head + k_at_config_term));
    const auto payload = load_le<std::uint32_t>(head + k_at_config_bytes);
    const auto state = load_le<std::uint32_t>(head + k_at_state_bytes);
    at += k_config_head_bytes;
    if (payload > k_config_bytes_max || state > k_start_state_bytes_max ||
        std::uint64_t{payload} + state > end - at) {
      return bad("impossible sizes");
    }
    config.payload = bytes.slice(at, payload);
    config.state = bytes.slice(at + payload, state);
    at += std::size_t{payload} + state;
    if (!configs.empty() && std::tie(configs.back().index, configs.back().term) >=
                                std::tie(config.index, config.term)) {
      return bad("configurations out of order");
    }
    configs.push_back(std::move(config));
  }
  if (at != end) return bad("bytes behind the last configuration");
  return configs;
}

result<std::vector<stored_config>> read_config_file(env& env, const std::string& path) {
  auto bytes = read_whole_file(env, path, k_file_bytes_max);
  if (!bytes) return bytes.error();
  return decode_configs(*bytes, path);
}

status write_config_file(env& env, const std::string& path,
                         const std::vector<stored_config>& configs) {
  return replace_whole_file(env, path, encode_configs(configs));
}

}  // namespace cairn::storage
