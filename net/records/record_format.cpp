#include "net/records/record_format.hpp"

#include "net/records/base64.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <cstring>
#include <simdjson.h>

namespace cairn::net {

namespace {

constexpr std::int64_t k_year_0000_ms = -62'167'219'200'000;
constexpr std::int64_t k_year_9999_end_ms = 253'402'300'799'999;

bool is_utf8(byte_span bytes) {
  const auto text = as_text(bytes);
  return simdjson::validate_utf8(text.data(), text.size());
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

// True when every character stands for itself in a JSON string. Without a branch per character, so
// that it is vectorised.
bool is_plain(std::string_view text) {
  unsigned special = 0;
  for (const char character : text) {
    const auto c = static_cast<unsigned char>(character);
    special |= static_cast<unsigned>(c < 0x20) | static_cast<unsigned>(c == '"') |
               static_cast<unsigned>(c == '\\') | static_cast<unsigned>(c == 0x7F);
  }
  return special == 0;
}

void append_base64_string(std::string& out, byte_span bytes) {
  out += '"';
  append_base64(out, bytes);
  out += '"';
}

// A JSON text on one line. Inside strings line ends are escaped, so raw ones are white space.
void append_on_one_line(std::string& out, std::string_view json) {
  const auto start = out.size();
  out += json;
  char* const begin = out.data() + start;
  char* const end = out.data() + out.size();
  for (const char line_end : {'\n', '\r'}) {
    if (std::memchr(begin, line_end, json.size()) != nullptr)
      std::replace(begin, end, line_end, ' ');
  }
}

void append_key(std::string& out, byte_span key) {
  if (is_utf8(key)) {
    out += ",\"key\":";
    append_json_string(out, as_text(key));
  } else {
    out += ",\"key_base64\":";
    append_base64_string(out, key);
  }
}

// Those headers whose value is UTF-8, or those whose value is not.
void append_headers(std::string& out, const proto::header_range& headers, bool utf8) {
  bool first = true;
  for (auto header = headers.begin(); header != proto::header_range::end(); ++header) {
    if (is_utf8(header->value) != utf8) continue;
    if (first) out += utf8 ? ",\"headers\":{" : ",\"headers_base64\":{";
    if (!first) out += ',';
    first = false;
    append_json_string(out, header->name);
    out += ':';
    if (utf8) {
      append_json_string(out, as_text(header->value));
    } else {
      append_base64_string(out, header->value);
    }
  }
  if (!first) out += '}';
}

void append_value(std::string& out, const proto::record_view& record) {
  if (record.kind == proto::value_kind::json) {
    out += ",\"value\":";
    append_on_one_line(out, as_text(record.value));
  } else if (record.kind == proto::value_kind::text && is_utf8(record.value)) {
    out += ",\"value\":";
    append_json_string(out, as_text(record.value));
  } else {
    out += ",\"value_base64\":";
    append_base64_string(out, record.value);
  }
}

char* put_digits(char* to, unsigned number, int digits) {
  for (int i = digits - 1; i >= 0; --i) {
    to[i] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  return to + digits;
}

std::array<char, 24> rfc3339(unix_ms timestamp_ms) {
  namespace chrono = std::chrono;
  const chrono::sys_time<chrono::milliseconds> moment{
      chrono::milliseconds(std::clamp(timestamp_ms, k_year_0000_ms, k_year_9999_end_ms))};
  const auto day = chrono::floor<chrono::days>(moment);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss time(moment - day);
  std::array<char, 24> text;
  char* to = put_digits(text.data(), static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.month()), 2);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.day()), 2);
  *to++ = 'T';
  to = put_digits(to, static_cast<unsigned>(time.hours().count()), 2);
  *to++ = ':';
  to = put_digits(to, static_cast<unsigned>(time.minutes().count()), 2);
  *to++ = ':';
  to = put_digits(to, static_cast<unsigned>(time.seconds().count()), 2);
  *to++ = '.';
  to = put_digits(to, static_cast<unsigned>(time.subseconds().count()), 3);
  *to = 'Z';
  return text;
}

}  // namespace

void append_rfc3339(std::string& out, unix_ms timestamp_ms) {
  const auto text = rfc3339(timestamp_ms);
  out.append(text.data(), text.size());
}

void append_json_string(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  out += boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

void record_formatter::append_timestamp(std::string& out, unix_ms timestamp_ms) {
  if (timestamp_ms != cached_ms_ || cached_text_[0] == '\0') {
    cached_text_ = rfc3339(timestamp_ms);
    cached_ms_ = timestamp_ms;
  }
  out.append(cached_text_.data(), cached_text_.size());
}

void record_formatter::append_json(std::string& out, record_offset offset, unix_ms timestamp_ms,
                                   const proto::record_view& record) {
  out += "{\"offset\":";
  append_number(out, offset.value());
  out += ",\"timestamp\":\"";
  append_timestamp(out, timestamp_ms);
  out += '"';
  if (record.key) append_key(out, *record.key);
  if (!record.headers.empty()) {
    append_headers(out, record.headers, true);
    append_headers(out, record.headers, false);
  }
  append_value(out, record);
  out += '}';
}

void record_formatter::append_ndjson(std::string& out, record_offset offset, unix_ms timestamp_ms,
                                     const proto::record_view& record) {
  append_json(out, offset, timestamp_ms, record);
  out += '\n';
}

void record_formatter::append_sse(std::string& out, record_offset offset, unix_ms timestamp_ms,
                                  const proto::record_view& record) {
  out += "id: ";
  append_number(out, offset.value());
  out += "\ndata: ";
  append_json(out, offset, timestamp_ms, record);
  out += "\n\n";
}

}  // namespace cairn::net
