#include "net/handlers/append_identity.hpp"

#include "net/http/query.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::string_view k_key_name = "Idempotency-Key";
constexpr std::string_view k_producer_name = "Cairn-Producer-Id";
constexpr std::string_view k_epoch_name = "Cairn-Producer-Epoch";
constexpr std::string_view k_seq_name = "Cairn-Producer-Seq";

problem twice(std::string_view name) {
  return bad_argument(fmt::format("the header {} is given twice", name));
}

bool is_visible(char c) {
  return c > ' ' && c < '\x7f';
}

std::optional<problem> check_name(std::string_view header, std::string_view name) {
  if (name.empty()) return bad_argument(fmt::format("the header {} is empty", header));
  if (name.size() > k_identity_characters_max) {
    return bad_argument(fmt::format("the header {} has {} characters, at most {} are taken", header,
                                    name.size(), k_identity_characters_max));
  }
  const auto bad = std::find_if_not(name.begin(), name.end(), is_visible);
  if (bad != name.end()) {
    return bad_argument(
        fmt::format("character {} of the header {} is no visible ASCII character (0x21 to 0x7e)",
                    bad - name.begin() + 1, header));
  }
  return std::nullopt;
}

// What is between the quotes of `text`, which begins with one. Nothing when it is no such string.
std::optional<std::string> unquoted(std::string_view text) {
  std::string out;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1 == text.size() ? std::optional(std::move(out)) : std::nullopt;
    if (text[i] == '\\') {
      ++i;
      if (i == text.size() || (text[i] != '"' && text[i] != '\\')) return std::nullopt;
    }
    out += text[i];
  }
  return std::nullopt;
}

}  // namespace

std::optional<problem> parse_idempotency_key(std::string_view value, std::string& key) {
  if (value.starts_with('"')) {
    auto inner = unquoted(value);
    if (!inner) {
      return bad_argument(
          "the header Idempotency-Key begins with a quote but is not one quoted string: it ends "
          "with a quote, and quotes and backslashes inside have a backslash before them");
    }
    key = std::move(*inner);
  } else {
    key = value;
  }
  return check_name(k_key_name, key);
}

std::optional<problem> identity_fields::take_number(const header_field& field,
                                                    std::optional<std::uint64_t>& out) const {
  if (out) return twice(field.name);
  out = parse_exact_u64(field.value);
  if (!out || *out >= proto::k_sequence_limit) {
    return bad_argument(fmt::format("the header {} is '{}', not a whole number from 0 to {}",
                                    field.name, field.value, proto::k_sequence_limit - 1));
  }
  return std::nullopt;
}

bool identity_fields::take(const header_field& field) {
  std::optional<problem> wrong;
  if (iequals(field.name, k_key_name)) {
    wrong = key_ ? twice(k_key_name) : parse_idempotency_key(field.value, key_.emplace());
  } else if (iequals(field.name, k_producer_name)) {
    wrong = producer_ ? twice(k_producer_name) : check_name(k_producer_name, field.value);
    producer_ = field.value;
  } else if (iequals(field.name, k_epoch_name)) {
    wrong = take_number(field, epoch_);
  } else if (iequals(field.name, k_seq_name)) {
    wrong = take_number(field, seq_);
  } else {
    return false;
  }
  if (!wrong_) wrong_ = std::move(wrong);
  return true;
}

std::optional<problem> identity_fields::finish(std::optional<proto::append_identity>& out) {
  if (wrong_) return std::move(wrong_);
  const bool of_producer = producer_ || epoch_ || seq_;
  if (key_ && of_producer) {
    return bad_argument(
        "the headers Idempotency-Key and Cairn-Producer-... exclude each other: an append has one "
        "identity");
  }
  if (key_) out = proto::identity_of_key(*key_);
  if (!of_producer) return std::nullopt;
  if (!producer_ || !epoch_ || !seq_) {
    return bad_argument(fmt::format("the header {} is missing: a producer says {}, {} and {}",
                                    !producer_ ? k_producer_name
                                    : !epoch_  ? k_epoch_name
                                               : k_seq_name,
                                    k_producer_name, k_epoch_name, k_seq_name));
  }
  out = proto::identity_of_producer(*producer_, *epoch_, *seq_);
  return std::nullopt;
}

}  // namespace cairn::net
