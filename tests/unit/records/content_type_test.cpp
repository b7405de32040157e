#include "net/records/append_body.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace cairn::net;

TEST_CASE("content type: names are taken in any case and with parameters") {
  struct row {
    std::string_view sent;
    body_format format;
  };
  for (const auto& test : {
           row{"application/json", body_format::json},
           row{"Application/JSON", body_format::json},
           row{" application/json ; charset=utf-8 ", body_format::json},
           row{"application/json;charset=\"UTF-8\"", body_format::json},
           row{"application/x-ndjson", body_format::ndjson},
           row{"application/vnd.cairn.records+json; v=1", body_format::records},
           row{"text/plain", body_format::text},
           row{"text/plain; format=flowed; charset=us-ascii", body_format::text},
           row{"application/octet-stream; charset=latin1", body_format::bytes},
       }) {
    const auto sent = test.sent;
    const auto format = test.format;
    const auto found = classify_content_type(sent);
    CHECK_MESSAGE(found.format == format, sent, ": ", found.detail);
  }
}

TEST_CASE("content type: anything else is refused with its reason") {
  struct row {
    std::string_view sent;
    std::string_view reason;
  };
  const std::string long_one = "text/plain; a=" + std::string(300, 'x');
  for (const auto& test : {
           row{"", "no Content-Type"},
           row{"   ", "no Content-Type"},
           row{"application/xml", "\"application/xml\""},
           row{"application/x-www-form-urlencoded", "\"application/x-www-form-urlencoded\""},
           row{"application/jsonx", "\"application/jsonx\""},
           row{"json", "\"json\""},
           row{"application/json, text/plain", "\"application/json, text/plain\""},
           row{"text/plain; charset=iso-8859-1", "charset \"iso-8859-1\""},
           row{"application/json; charset=utf-16", "charset \"utf-16\""},
           row{"text/plain; charset=utf-8; charset=utf-8", "two charsets"},
           row{"text/plain; charset=utf-8; =x", "malformed parameter"},
           row{"text/plain; charset=\"utf-8", "malformed parameter"},
           row{long_one, "314 bytes, limit 256"},
       }) {
    const auto sent = test.sent;
    const auto reason = test.reason;
    const auto found = classify_content_type(sent);
    CHECK_MESSAGE(!found.format, sent);
    CHECK_MESSAGE(found.detail.find(reason) != std::string::npos, sent, ": ", found.detail);
  }
}

TEST_CASE("content type: us-ascii is remembered") {
  CHECK(classify_content_type("text/plain; charset=US-ASCII").must_be_ascii);
  CHECK_FALSE(classify_content_type("text/plain").must_be_ascii);
}
