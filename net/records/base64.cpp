#include "net/records/base64.hpp"

#include <array>
#include <cstdint>

namespace cairn::net {

namespace {

constexpr std::string_view k_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t k_not_in_alphabet = 0xFF;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(k_not_in_alphabet);
  for (std::size_t i = 0; i < k_alphabet.size(); ++i) {
    values[static_cast<unsigned char>(k_alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr auto k_values = make_values();

std::uint32_t value_of(char c) {
  return k_values[static_cast<unsigned char>(c)];
}

std::size_t padding_of(std::string_view text) {
  if (text.ends_with("==")) return 2;
  return text.ends_with('=') ? 1 : 0;
}

// The 24 bits of four characters; bit 31 is set when one of them is not in the alphabet.
std::uint32_t quad_bits(const char* quad) {
  const auto a = value_of(quad[0]);
  const auto b = value_of(quad[1]);
  const auto c = value_of(quad[2]);
  const auto d = value_of(quad[3]);
  const std::uint32_t bad = ((a | b | c | d) & 0xC0U) != 0 ? 0x80000000U : 0U;
  return bad | (a & 63U) << 18 | (b & 63U) << 12 | (c & 63U) << 6 | (d & 63U);
}

}  // namespace

std::size_t base64_decoded_bytes(std::string_view text) {
  const auto whole = text.size() / 4 * 3;
  return whole < 3 ? 0 : whole - padding_of(text);
}

void append_base64(std::string& out, byte_span bytes) {
  const auto at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
  const auto start = out.size();
  out.resize(start + (bytes.size() + 2) / 3 * 4);
  char* to = out.data() + start;
  const auto put = [&](std::uint32_t bits, int characters) {
    for (int i = 0; i < 4; ++i) {
      *to++ = i < characters ? k_alphabet[bits >> (18 - 6 * i) & 63U] : '=';
    }
  };
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3)
    put(at(i) << 16 | at(i + 1) << 8 | at(i + 2), 4);
  if (bytes.size() - i == 1) put(at(i) << 16, 2);
  if (bytes.size() - i == 2) put(at(i) << 16 | at(i + 1) << 8, 3);
}

bool decode_base64(std::string_view text, std::string& out) {
  if (text.size() % 4 != 0) return false;
  const auto start = out.size();
  const auto padding = padding_of(text);
  const auto full_quads = text.size() / 4 - (padding != 0 ? 1 : 0);
  out.resize(start + base64_decoded_bytes(text));
  char* to = out.data() + start;
  std::uint32_t bad = 0;
  for (std::size_t i = 0; i < full_quads; ++i) {
    const auto bits = quad_bits(text.data() + 4 * i);
    bad |= bits;
    *to++ = static_cast<char>(bits >> 16 & 255U);
    *to++ = static_cast<char>(bits >> 8 & 255U);
    *to++ = static_cast<char>(bits & 255U);
  }
  if (padding != 0) {
    std::array<char, 4> last{'A', 'A', 'A', 'A'};
    for (std::size_t i = 0; i < 4 - padding; ++i)
      last[i] = text[4 * full_quads + i];
    const auto bits = quad_bits(last.data());
    // The bits that the padding leaves over must be zero, else two texts would mean the same bytes.
    if ((bits & (padding == 2 ? 0xFFFFU : 0xFFU)) != 0) bad |= 0x80000000U;
    bad |= bits;
    *to++ = static_cast<char>(bits >> 16 & 255U);
    if (padding == 1) *to++ = static_cast<char>(bits >> 8 & 255U);
  }
  if ((bad & 0x80000000U) == 0) return true;
  out.resize(start);
  return false;
}

}  // namespace cairn::net
