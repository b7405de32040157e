#include "net/http/request_parser.hpp"

#include "net/http/query.hpp"
#include "storage/base/check.hpp"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <fmt/format.h>

namespace cairn::net {

namespace http = boost::beast::http;

namespace {

std::string_view plain(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

/// uri-host [":" port] as far as it matters here: no spaces, separators or escapes that would make
/// it another header's business.
bool is_host(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view(".-_~:[]%!$&'()*+;=").find(c) != std::string_view::npos;
  });
}

std::string_view explain(const boost::beast::error_code& ec) {
  if (ec == http::error::bad_content_length) return "Content-Length is not one plain number";
  if (ec == http::error::multiple_content_length) return "Content-Length is given twice";
  if (ec == http::error::bad_transfer_encoding) {
    return "Transfer-Encoding stands beside Content-Length or twice";
  }
  if (ec == http::error::bad_chunk) return "a chunk's size or its end is malformed";
  if (ec == http::error::bad_chunk_extension) return "a chunk's extension is malformed";
  if (ec == http::error::bad_field) return "a header's name is malformed";
  if (ec == http::error::bad_value) return "a header's value is malformed";
  if (ec == http::error::bad_obs_fold) return "a header is folded over two lines";
  if (ec == http::error::bad_line_ending) return "a line does not end with CRLF";
  return "the request is not HTTP/1.1";
}

bool has_bare_lf(std::string_view text) {
  for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

problem body_too_large(std::uint64_t limit_bytes) {
  return make_problem(413, to_string(errc::too_large),
                      fmt::format("the body has more than {} bytes", limit_bytes))
      .with_fact("limit_bytes", limit_bytes)
      .closing();
}

}  // namespace

void request_parser::head_limit_setup() {
  // header_scanner has judged the sizes; Beast's own limits must not come first.
  const std::size_t head_bytes = limits_->target_bytes + limits_->header_bytes + 1024;
  header_limit(static_cast<std::uint32_t>(head_bytes));
  body_limit(boost::none);
}

void request_parser::refuse(problem what) {
  if (!failure_) failure_ = std::move(what);
}

void request_parser::on_request_impl(http::verb, string_view method_text, string_view target,
                                     int version, error_code& ec) {
  ec = {};
  head_->method_text = plain(method_text);
  head_->method = net::parse_method(head_->method_text);
  head_->target = plain(target);
  head_->minor_version = version == 10 ? 0 : 1;
}

void request_parser::take_single(std::optional<std::string_view>& slot, std::string_view name,
                                 std::string_view value) {
  if (slot) refuse(bad_framing(fmt::format("the header {} is given twice", name)));
  slot = value;
}

void request_parser::on_field_impl(http::field id, string_view name, string_view value,
                                   error_code& ec) {
  ec = {};
  if (head_done_) {  // a trailer: looked at by nobody
    if (++trailer_count_ > limits_->header_fields) ec = http::error::bad_field;
    return;
  }
  const header_field field{plain(name), plain(value)};
  head_->fields.push_back(field);
  switch (id) {
    case http::field::host:
      ++host_count_;
      host_ = field.value;
      return;
    case http::field::content_length:
      ++length_count_;
      length_ = field.value;
      return;
    case http::field::transfer_encoding:
      ++encoding_count_;
      encoding_ = field.value;
      return;
    case http::field::accept:
      if (!head_->accept.empty()) {
        accept_memory_->assign(head_->accept).append(",").append(field.value);
        head_->accept = *accept_memory_;
      } else {
        head_->accept = field.value;
      }
      return;
    case http::field::content_type:
      return take_single(head_->content_type, field.name, field.value);
    case http::field::content_encoding:
      return take_single(head_->content_encoding, field.name, field.value);
    case http::field::expect:
      return take_single(expect_, field.name, field.value);
    case http::field::unknown:
      break;
    default:
      return;
  }
  if (field.name.size() > 6 && iequals(field.name.substr(0, 6), "cairn-")) {
    head_->cairn_fields.push_back(field);
  } else if (iequals(field.name, "traceparent")) {
    take_single(head_->traceparent, field.name, field.value);
  } else if (iequals(field.name, "last-event-id")) {
    take_single(head_->last_event_id, field.name, field.value);
  } else if (iequals(field.name, "idempotency-key")) {
    head_->cairn_fields.push_back(field);
  }
}

std::optional<problem> request_parser::check_framing() {
  const bool http_11 = head_->minor_version == 1;
  if (host_count_ > 1) return bad_framing("the header Host is given twice");
  if (host_count_ == 0 && http_11) return bad_framing("the header Host is missing");
  if (!is_host(host_)) return bad_framing("the header Host is malformed");
  if (length_count_ > 0 && encoding_count_ > 0) {
    return bad_framing("Content-Length stands beside Transfer-Encoding");
  }
  if (length_count_ > 1) return bad_framing("the header Content-Length is given twice");
  if (length_count_ == 1) {
    const auto length = parse_exact_u64(length_);
    if (!length) return bad_framing("Content-Length is not one plain number");
    head_->content_length = length;
  }
  if (encoding_count_ > 0) {
    if (!http_11) return bad_framing("Transfer-Encoding does not exist in HTTP/1.0");
    if (encoding_count_ > 1) return bad_framing("the header Transfer-Encoding is given twice");
    if (!iequals(encoding_, "chunked")) {
      return make_problem(501, "unsupported",
                          "of transfer codings only 'chunked' alone is understood")
          .closing();
    }
    head_->chunked = true;
  }
  if (expect_ && http_11) {  // RFC 9110, 10.1.1: ignored from HTTP/1.0
    if (!iequals(*expect_, "100-continue")) {
      return make_problem(417, "expectation-failed", "only the expectation 100-continue is known")
          .closing();
    }
    head_->expects_continue = head_->has_body();
  }
  return std::nullopt;
}

std::optional<problem> request_parser::parse_head(std::string_view bytes,
                                                  std::string& accept_memory) {
  head_->clear();
  accept_memory_ = &accept_memory;
  error_code ec;
  put(boost::asio::buffer(bytes.data(), bytes.size()), ec);
  head_done_ = true;
  if (failure_) return std::move(failure_);
  if (ec || !is_header_done()) return bad_framing(std::string(explain(ec)));
  if (auto wrong = check_framing()) return wrong;
  head_->keep_alive = keep_alive();
  CAIRN_CHECK(chunked() == head_->chunked, "the parser and the checks disagree on the framing");
  return std::nullopt;
}

std::size_t request_parser::on_body_impl(string_view body, error_code& ec) {
  ec = {};
  return body.size();
}

void request_parser::on_chunk_header_impl(std::uint64_t size, string_view extensions,
                                          error_code& ec) {
  ec = {};
  if (extensions.size() > limits_->chunk_line_bytes) {
    ec = http::error::bad_chunk_extension;
    return;
  }
  if (size > body_limit_bytes_ - body_bytes_) {
    refuse(body_too_large(body_limit_bytes_));
    ec = http::error::body_limit;
    return;
  }
  body_bytes_ += size;
}

std::size_t request_parser::on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) {
  ec = {};
  if (!sink_->append_body(plain(body))) {
    refuse(body_too_large(body_limit_bytes_));
    ec = http::error::body_limit;
    return 0;
  }
  return body.size();
}

request_parser::chunk_step request_parser::parse_chunks(std::string_view bytes,
                                                        std::uint64_t body_limit_bytes,
                                                        body_sink& sink) {
  sink_ = &sink;
  body_limit_bytes_ = body_limit_bytes;
  chunk_step step;
  while (!is_done() && step.consumed_bytes < bytes.size()) {
    const std::string_view rest = bytes.substr(step.consumed_bytes);
    error_code ec;
    step.consumed_bytes += put(boost::asio::buffer(rest.data(), rest.size()), ec);
    if (ec == http::error::need_more) {
      // Only a chunk's line or the trailers can be incomplete.
      const std::string_view line = bytes.substr(step.consumed_bytes);
      if (line.size() > limits_->chunk_line_bytes + limits_->trailer_bytes) {
        refuse(bad_framing("a chunk's line or the trailers are too long"));
        step.state = progress::failed;
      } else if (has_bare_lf(line)) {  // Beast would wait for a CRLF behind it
        refuse(bad_framing("a chunk's line ends with LF without CR"));
        step.state = progress::failed;
      }
      return step;
    }
    if (ec) {
      refuse(bad_framing(std::string(explain(ec))));
      step.state = progress::failed;
      return step;
    }
  }
  if (is_done()) step.state = progress::complete;
  return step;
}

}  // namespace cairn::net
