// What a stranger may send to the peer port before there is a link: refused, or taken in a form
// that encodes to something that is taken again as the same. An observer is taken only without a
// cluster and an address. Nothing is read outside the input.
//
// Input: a frame, header and body.
#include "net/peer/hello.hpp"
#include "storage/base/check.hpp"

#include <cstdint>

namespace {

using namespace cairn;

std::string_view body_of(const std::string& frame) {
  return std::string_view(frame).substr(net::k_peer_header_bytes);
}

void hello(std::string_view body) {
  const auto first = net::decode_hello(body);
  if (!first) return;
  if (net::is_observer(*first)) {
    CAIRN_CHECK(first->cluster_id.empty() && first->address.empty() && !first->data_id.empty(),
                "an observer with a node's fields");
  }
  const auto frame = net::encode_hello(net::peer_frame_type::hello, *first);
  CAIRN_CHECK(net::decode_header(frame.substr(0, net::k_peer_header_bytes)).ok(),
              "our own header refused");
  const auto again = net::decode_hello(body_of(frame));
  CAIRN_CHECK(again.ok(), "our own hello refused: {}", again.error().detail);
  CAIRN_CHECK(net::encode_hello(net::peer_frame_type::hello, *again) == frame,
              "changed on the way");
}

void refusal(std::string_view body) {
  const auto first = net::decode_refusal(body);
  if (!first) return;
  const auto frame = net::encode_refusal(*first);
  const auto again = net::decode_refusal(body_of(frame));
  CAIRN_CHECK(again.ok() && again->why == first->why && again->reason == first->reason,
              "a refusal changed on the way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  if (!net::decode_header(input).ok()) return 0;
  // A copy of its own, so that a sanitizer sees a read beyond it.
  const std::string body = input.substr(net::k_peer_header_bytes);
  hello(body);
  refusal(body);
  return 0;
}
