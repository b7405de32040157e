#include "net/records/json_text.hpp"

#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <fmt/format.h>
#include <optional>
#include <simdjson.h>
#include <string>
#include <unordered_set>
#include <vector>

namespace cairn::net {

namespace {

static_assert(k_json_padding_bytes >= simdjson::SIMDJSON_PADDING);

std::string_view words_for(simdjson::error_code code) {
  switch (code) {
    case simdjson::EMPTY:
      return "there is no JSON text";
    case simdjson::DEPTH_ERROR:
      return "nested too deep";
    case simdjson::UTF8_ERROR:
      return "not valid UTF-8";
    case simdjson::UNESCAPED_CHARS:
      return "a raw control character stands in a string";
    case simdjson::UNCLOSED_STRING:
      return "a string is never closed";
    case simdjson::STRING_ERROR:
      return "a string has a bad escape or a lone surrogate";
    case simdjson::NUMBER_ERROR:
      return "a number is malformed";
    case simdjson::TAPE_ERROR:
      return "not one JSON text";
    default:
      return simdjson::error_message(code);
  }
}

std::string duplicate_name(std::string_view name) {
  constexpr std::size_t k_shown_bytes = 64;
  const bool cut = name.size() > k_shown_bytes;
  // Never end in the middle of a character.
  std::size_t size = std::min(name.size(), k_shown_bytes);
  while (cut && size > 0 && (static_cast<unsigned char>(name[size]) & 0xC0U) == 0x80U)
    --size;
  return fmt::format("the name \"{}{}\" stands twice in one object", name.substr(0, size),
                     cut ? "..." : "");
}

// Finds a name that comes twice. Most objects are small and have names that differ in length or in
// their first or last byte: one word remembers which of these have been seen, and only a collision
// makes it compare.
class name_set {
public:
  // False when `name` is there already.
  bool insert(std::string_view name) {
    const auto bit = std::uint64_t{1} << slot_of(name);
    const bool may_be_there = (seen_ & bit) != 0;
    seen_ |= bit;
    if (count_ < k_few) {
      if (may_be_there &&
          std::find(few_.begin(), few_.begin() + count_, name) != few_.begin() + count_) {
        return false;
      }
      few_[static_cast<std::size_t>(count_++)] = name;
      return true;
    }
    if (many_.empty()) many_.insert(few_.begin(), few_.end());
    return many_.insert(name).second;
  }

private:
  static unsigned slot_of(std::string_view name) {
    if (name.empty()) return 0;
    const auto first = static_cast<unsigned char>(name.front());
    const auto last = static_cast<unsigned char>(name.back());
    return static_cast<unsigned>(name.size() * 7 + first * 3U + last * 5U) & 63U;
  }

  static constexpr std::ptrdiff_t k_few = 32;
  std::uint64_t seen_ = 0;
  std::ptrdiff_t count_ = 0;
  std::array<std::string_view, k_few> few_;
  std::unordered_set<std::string_view> many_;
};

// Depth and duplicate names, on a document that simdjson has accepted.
class tree_walk {
public:
  // The sentence about what is wrong, or nothing.
  std::optional<std::string> visit(simdjson::dom::element element, std::size_t depth) {
    using simdjson::dom::element_type;
    const auto type = element.type();
    if (type != element_type::ARRAY && type != element_type::OBJECT) return std::nullopt;
    if (depth > k_json_depth_max) {
      return fmt::format("nested deeper than {} levels", k_json_depth_max);
    }
    if (type == element_type::ARRAY) {
      for (const auto child : simdjson::dom::array(element)) {
        if (auto wrong = visit(child, depth + 1)) return wrong;
      }
      return std::nullopt;
    }
    return visit_object(simdjson::dom::object(element), depth);
  }

private:
  std::optional<std::string> visit_object(simdjson::dom::object object, std::size_t depth) {
    name_set names;
    for (const auto& field : object) {
      if (!names.insert(field.key)) return duplicate_name(field.key);
      if (auto wrong = visit(field.value, depth + 1)) return wrong;
    }
    return std::nullopt;
  }
};

// Events of Boost.JSON's parser: only names and depth matter.
class event_handler {
public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using error_code = boost::json::error_code;
  using text = boost::json::string_view;

  std::string wrong;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t, error_code&) { return true; }
  bool on_object_begin(error_code&) {
    names_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, error_code&) {
    names_.pop_back();
    return true;
  }
  bool on_string_part(text, std::size_t, error_code&) { return true; }
  bool on_string(text, std::size_t, error_code&) { return true; }
  bool on_key_part(text part, std::size_t, error_code&) {
    name_.append(part.data(), part.size());
    return true;
  }
  bool on_key(text part, std::size_t, error_code& failure) {
    name_.append(part.data(), part.size());
    if (!names_.back().insert(name_).second) {
      wrong = duplicate_name(name_);
      failure = boost::json::error::syntax;
      return false;
    }
    name_.clear();
    return true;
  }
  bool on_number_part(text, error_code&) { return true; }
  bool on_int64(std::int64_t, text, error_code&) { return true; }
  bool on_uint64(std::uint64_t, text, error_code&) { return true; }
  bool on_double(double, text, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(text, error_code&) { return true; }
  bool on_comment(text, error_code&) { return true; }

private:
  std::string name_;
  std::vector<std::unordered_set<std::string>> names_;
};

// Second opinion on a text that simdjson refused with `first`.
status check_slowly(std::string_view text, simdjson::error_code first) {
  boost::json::parse_options options;
  options.max_depth = k_json_depth_max;
  boost::json::basic_parser<event_handler> parser(options);
  boost::json::error_code failure;
  const auto consumed = parser.write_some(false, text.data(), text.size(), failure);
  const bool whole = !failure && consumed == text.size();
  if (whole && first == simdjson::NUMBER_ERROR) return {};
  std::string sentence = parser.handler().wrong;
  if (sentence.empty()) {
    if (failure == boost::json::error::too_deep) {
      sentence = fmt::format("nested deeper than {} levels", k_json_depth_max);
    } else if (failure == boost::json::error::exponent_overflow) {
      sentence = "the exponent of a number is beyond 2147483647";
    } else {
      sentence = words_for(first);
    }
  }
  if (whole || first == simdjson::EMPTY) return error{errc::invalid_argument, std::move(sentence)};
  return error{errc::invalid_argument, fmt::format("{}, at byte {}", sentence, consumed)};
}

}  // namespace

struct json_checker::buffers {
  simdjson::dom::parser parser;
  std::string padded;
};

json_checker::json_checker() : buffers_(std::make_unique<buffers>()) {}
json_checker::~json_checker() = default;

status json_checker::check(std::string_view text, std::size_t readable_bytes) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    return error{errc::invalid_argument, "starts with a byte order mark"};
  }
  const char* data = text.data();
  if (readable_bytes < text.size() + k_json_padding_bytes) {
    buffers_->padded.reserve(text.size() + k_json_padding_bytes);
    buffers_->padded.assign(text);
    buffers_->padded.append(k_json_padding_bytes, ' ');
    data = buffers_->padded.data();
  }
  // One level more than allowed: simdjson counts a scalar in the deepest array as a level of its
  // own.
  if (buffers_->parser.max_depth() != k_json_depth_max + 2) {
    if (buffers_->parser.allocate(k_kept_text_bytes, k_json_depth_max + 2) != simdjson::SUCCESS) {
      return error{errc::overloaded, "no memory to check JSON"};
    }
  }
  simdjson::dom::element root;
  const auto code = buffers_->parser.parse(data, text.size(), false).get(root);
  status outcome;
  if (code == simdjson::MEMALLOC) {
    outcome = error{errc::overloaded, "no memory to check JSON"};
  } else if (code != simdjson::SUCCESS) {
    outcome = check_slowly(text, code);
  } else if (auto wrong = tree_walk().visit(root, 1)) {
    outcome = error{errc::invalid_argument, std::move(*wrong)};
  }
  if (text.size() > k_kept_text_bytes) *buffers_ = buffers();
  return outcome;
}

json_checker& thread_json_checker() {
  thread_local json_checker checker;
  return checker;
}

std::string_view trim_json_end(std::string_view text) {
  const auto last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

}  // namespace cairn::net
