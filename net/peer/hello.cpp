#include "net/peer/hello.hpp"

#include "storage/base/bytes.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::string_view k_magic = "CAIRNPR\n";
constexpr std::size_t k_id_bytes_max = 128;
constexpr std::size_t k_address_bytes_max = 300;  // a host name has at most 253
constexpr std::size_t k_transport_bytes_max = 512;
constexpr std::size_t k_reason_bytes_max = 400;
static_assert(k_magic.size() == 8);
static_assert(25 + 3 * k_id_bytes_max + k_address_bytes_max + k_transport_bytes_max + 10 <
              k_peer_body_bytes_max);

template <class T>
void put(std::string& to, T value) {
  std::array<std::byte, sizeof(T)> bytes{};
  store_le(bytes.data(), value);
  to.append(as_text(bytes));
}

void put_text(std::string& to, std::string_view text) {
  put(to, static_cast<std::uint16_t>(text.size()));
  to.append(text);
}

std::string frame(peer_frame_type type, std::string_view body) {
  std::string out(k_magic);
  put(out, k_peer_version);
  put(out, static_cast<std::uint8_t>(type));
  put(out, std::uint8_t{0});
  put(out, static_cast<std::uint32_t>(body.size()));
  out.append(body);
  return out;
}

/// Takes fields from the front; once something is missing, nothing more is taken.
class reader {
public:
  explicit reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T number() {
    if (rest_.size() < sizeof(T)) {
      failed_ = true;
      rest_ = {};
      return T{};
    }
    const T value = load_le<T>(as_byte_span(rest_).data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }

  std::string text(std::size_t most) {
    const std::size_t size = number<std::uint16_t>();
    if (failed_ || size > rest_.size() || size > most) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    std::string out(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
  }

  [[nodiscard]] bool failed() const { return failed_; }

private:
  std::string_view rest_;
  bool failed_ = false;
};

bool visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

error bad(std::string_view what) {
  return error{errc::invalid_argument, std::string(what)};
}

}  // namespace

std::string_view to_string(peer_refusal why) {
  switch (why) {
    case peer_refusal::none:
      return "none";
    case peer_refusal::not_a_peer:
      return "not-a-peer";
    case peer_refusal::version:
      return "version";
    case peer_refusal::bad_hello:
      return "bad-hello";
    case peer_refusal::wrong_cluster:
      return "wrong-cluster";
    case peer_refusal::no_cluster:
      return "no-cluster";
    case peer_refusal::own_id:
      return "own-id";
    case peer_refusal::unexpected_node:
      return "unexpected-node";
    case peer_refusal::data_directory:
      return "data-directory";
    case peer_refusal::crossed:
      return "crossed";
    case peer_refusal::already_linked:
      return "already-linked";
    case peer_refusal::busy:
      return "busy";
    case peer_refusal::policy:
      return "policy";
    case peer_refusal::too_slow:
      return "too-slow";
    case peer_refusal::unreachable:
      return "unreachable";
    case peer_refusal::observer:
      return "observer";
  }
  return "unknown";
}

std::string encode_hello(peer_frame_type type, const peer_hello& hello) {
  std::string body;
  put(body, hello.lane);
  put(body, hello.incarnation);
  put(body, hello.session);
  put(body, hello.capabilities);
  for (const auto* text :
       {&hello.node_id, &hello.data_id, &hello.cluster_id, &hello.address, &hello.transport}) {
    put_text(body, *text);
  }
  return frame(type, body);
}

std::string encode_refusal(const peer_refusal_note& note) {
  std::string body;
  put(body, static_cast<std::uint8_t>(note.why));
  put_text(body, std::string_view(note.reason).substr(0, k_reason_bytes_max));
  return frame(peer_frame_type::refusal, body);
}

result<peer_frame_header> decode_header(std::string_view bytes) {
  if (bytes.size() < k_peer_header_bytes || bytes.substr(0, k_magic.size()) != k_magic)
    return bad("it does not speak Cairn's peer protocol");
  reader in(bytes.substr(k_magic.size()));
  peer_frame_header out;
  out.version = in.number<std::uint16_t>();
  const auto type = in.number<std::uint8_t>();
  const auto zero = in.number<std::uint8_t>();
  out.body_bytes = in.number<std::uint32_t>();
  if (type < 1 || type > 3 || zero != 0) return bad(fmt::format("unknown frame type {}", type));
  if (out.body_bytes > k_peer_body_bytes_max)
    return bad(fmt::format("a hello of {} bytes, at most {} are allowed", out.body_bytes,
                           k_peer_body_bytes_max));
  out.type = static_cast<peer_frame_type>(type);
  return out;
}

result<peer_hello> decode_hello(std::string_view body) {
  reader in(body);
  peer_hello out;
  out.lane = in.number<std::uint8_t>();
  out.incarnation = in.number<std::uint64_t>();
  out.session = in.number<std::uint64_t>();
  out.capabilities = in.number<std::uint32_t>();
  out.node_id = in.text(k_id_bytes_max);
  out.data_id = in.text(k_id_bytes_max);
  out.cluster_id = in.text(k_id_bytes_max);
  out.address = in.text(k_address_bytes_max);
  out.transport = in.text(k_transport_bytes_max);
  if (in.failed()) return bad("the hello is cut short or has a field that is too long");
  if (out.lane >= k_peer_lane_count) return bad(fmt::format("unknown lane {}", out.lane));
  if (out.node_id.empty() || !visible(out.node_id)) return bad("the node id is empty or no name");
  if (!visible(out.data_id)) return bad("the data directory's id is no name");
  if (!visible(out.cluster_id)) return bad("the cluster id is no name");
  if (!visible(out.address)) return bad("the address is none");
  if (is_observer(out)) {
    if (out.data_id.empty()) return bad("an observer without a data directory's id");
    if (!out.cluster_id.empty() || !out.address.empty())
      return bad("an observer belongs to no cluster and listens at no address");
  }
  return out;
}

result<peer_refusal_note> decode_refusal(std::string_view body) {
  reader in(body);
  const auto why = in.number<std::uint8_t>();
  auto reason = in.text(k_reason_bytes_max);
  if (in.failed()) return bad("the refusal is cut short");
  // A code of a later version is none that we could react to.
  const bool known = why < k_peer_refusals;
  return peer_refusal_note{known ? static_cast<peer_refusal>(why) : peer_refusal::policy,
                           printable(reason, k_reason_bytes_max)};
}

std::string printable(std::string_view text, std::size_t most) {
  std::string out(text.substr(0, most));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

}  // namespace cairn::net
