#include "storage/hard_state.hpp"

#include "storage/slot_file.hpp"

#include <vector>

namespace cairn::storage {

namespace {

constexpr std::size_t k_node_id_bytes_max = 128;
constexpr std::size_t k_at_term = 0;
constexpr std::size_t k_at_vote_size = 8;
constexpr std::size_t k_at_vote = 12;

std::vector<std::byte> encode(const hard_state& state) {
  CAIRN_CHECK(state.voted_for.size() <= k_node_id_bytes_max, "node id of {} bytes",
              state.voted_for.size());
  std::vector<std::byte> bytes(k_at_vote + state.voted_for.size());
  store_le(bytes.data() + k_at_term, state.term.value());
  store_le(bytes.data() + k_at_vote_size, static_cast<std::uint32_t>(state.voted_for.size()));
  if (!state.voted_for.empty()) {
    std::memcpy(bytes.data() + k_at_vote, state.voted_for.data(), state.voted_for.size());
  }
  return bytes;
}

result<hard_state> decode(byte_span bytes, const std::string& path) {
  if (bytes.size() >= k_at_vote) {
    const auto size = load_le<std::uint32_t>(bytes.data() + k_at_vote_size);
    if (size <= k_node_id_bytes_max && bytes.size() == k_at_vote + size) {
      return hard_state{term_id(load_le<std::uint64_t>(bytes.data() + k_at_term)),
                        std::string(as_text(bytes.subspan(k_at_vote)))};
    }
  }
  return error{
      errc::corruption,
      fmt::format("{}: a checksummed slot of {} bytes holds no hard state", path, bytes.size())};
}

}  // namespace

hard_state_file::hard_state_file(std::unique_ptr<slot_file> slots, hard_state state)
    : slots_(std::move(slots)), current_(std::move(state)) {}
hard_state_file::hard_state_file(hard_state_file&&) noexcept = default;
hard_state_file& hard_state_file::operator=(hard_state_file&&) noexcept = default;
hard_state_file::~hard_state_file() = default;

result<hard_state_file> hard_state_file::open(env& env, const std::string& path) {
  auto slots = slot_file::open(env, path, encode(hard_state{}));
  if (!slots) return slots.error();
  auto state = decode((*slots)->value(), path);
  if (!state) return state.error();
  return hard_state_file(std::move(*slots), std::move(*state));
}

status hard_state_file::save(const hard_state& state) {
  CAIRN_CHECK(state.term >= current_.term, "term goes back from {} to {}", current_.term.value(),
              state.term.value());
  if (auto s = slots_->save(encode(state)); !s) return s;
  current_ = state;
  return {};
}

}  // namespace cairn::storage
