#pragma once
// Who an append is: the headers Idempotency-Key, Cairn-Producer-Id, -Epoch and -Seq.

#include "net/http/problem.hpp"
#include "net/http/request.hpp"
#include "proto/append_stamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::net {

/// Keys and producer ids have at most so many characters, all of them visible ASCII.
inline constexpr std::size_t k_identity_characters_max = 255;

/// The key in an Idempotency-Key header: the text as it stands, or what is between the quotes of a
/// string as RFC 8941 (3.3.3) writes it, which draft-ietf-httpapi-idempotency-key-header asks for.
/// Both are the same key. 400 that says what is wrong with it.
[[nodiscard]] std::optional<problem> parse_idempotency_key(std::string_view value,
                                                           std::string& key);

/// Gathers the identity from the fields of a request's head.
class identity_fields {
public:
  /// False when `field` is none of the four. One that is malformed or comes twice is remembered.
  [[nodiscard]] bool take(const header_field& field);

  /// Call after the last field: the identity, or nothing when there was none. 400 for a field that
  /// was malformed, twice or missing, and for a key together with a producer.
  [[nodiscard]] std::optional<problem> finish(std::optional<proto::append_identity>& out);

private:
  [[nodiscard]] std::optional<problem> take_number(const header_field& field,
                                                   std::optional<std::uint64_t>& out) const;

  std::optional<problem> wrong_;
  std::optional<std::string> key_;
  std::optional<std::string> producer_;
  std::optional<std::uint64_t> epoch_;
  std::optional<std::uint64_t> seq_;
};

}  // namespace cairn::net
