#pragma once
// Beast's HTTP/1 grammar over a head that header_scanner has passed. It keeps no fields of its own:
// the views in request_head point into the buffer. What Beast takes but must be refused (repeated
// Content-Length, strange Transfer-Encoding, missing Host, trailers that change fields ...) is
// refused here.

#include "net/http/problem.hpp"
#include "net/http/request.hpp"
#include "net/limits.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::net {

/// Takes the pieces of a chunked body.
class body_sink {
public:
  virtual ~body_sink() = default;
  /// Appends `bytes`. False when there is no room: parsing ends with too_large.
  [[nodiscard]] virtual bool append_body(std::string_view bytes) = 0;
};

/// Parses one request. Made anew for each.
class request_parser final : public boost::beast::http::basic_parser<true> {
public:
  request_parser(request_head& head, const gateway_limits& limits)
      : head_(&head), limits_(&limits) {
    head_limit_setup();
  }

  /// Parses a whole head (with its empty line) into the request_head. A problem closes the
  /// connection unless it only concerns what is asked for (417).
  [[nodiscard]] std::optional<problem> parse_head(std::string_view bytes,
                                                  std::string& accept_memory);

  enum class progress { need_more, complete, failed };
  struct chunk_step {
    progress state = progress::need_more;
    std::size_t consumed_bytes = 0;
  };
  /// Parses what has come of a chunked body. `consumed_bytes` are done with. At most
  /// `body_limit_bytes` in all go to `sink`. @pre the head is chunked.
  [[nodiscard]] chunk_step parse_chunks(std::string_view bytes, std::uint64_t body_limit_bytes,
                                        body_sink& sink);
  /// What is wrong with the body; always closing. @pre parse_chunks() returned `failed`.
  [[nodiscard]] problem take_failure() { return std::move(*failure_); }

private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void head_limit_setup();
  [[nodiscard]] std::optional<problem> check_framing();
  void take_single(std::optional<std::string_view>& slot, std::string_view name,
                   std::string_view value);
  void refuse(problem what);

  void on_request_impl(boost::beast::http::verb method, string_view method_text, string_view target,
                       int version, error_code& ec) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field id, string_view name, string_view value,
                     error_code& ec) override;
  void on_header_impl(error_code& ec) override { ec = {}; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code& ec) override {
    ec = {};
  }
  std::size_t on_body_impl(string_view body, error_code& ec) override;
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& ec) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view body, error_code& ec) override;
  void on_finish_impl(error_code& ec) override { ec = {}; }

  request_head* head_;
  const gateway_limits* limits_;
  std::string* accept_memory_ = nullptr;
  body_sink* sink_ = nullptr;
  bool head_done_ = false;
  std::uint32_t host_count_ = 0;
  std::uint32_t length_count_ = 0;
  std::uint32_t encoding_count_ = 0;
  std::string_view host_;
  std::string_view length_;
  std::string_view encoding_;
  std::optional<std::string_view> expect_;
  std::uint64_t body_bytes_ = 0;  // announced by the chunks so far
  std::uint64_t body_limit_bytes_ = 0;
  std::size_t trailer_count_ = 0;
  std::optional<problem> failure_;
};

}  // namespace cairn::net
