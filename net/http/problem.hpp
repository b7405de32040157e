#pragma once
// Problem documents (RFC 9457): what a client gets when it does not get what it asked for.

#include "net/backend.hpp"
#include "storage/base/errc.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::net {

/// What became of a write that was answered with a problem.
enum class write_outcome : std::uint8_t {
  not_a_write,
  rejected,  ///< certainly not stored
  unknown,   ///< may have been stored
};

/// An answer that says why not. Built with the functions below, then completed with `with_...`.
struct problem {
  int status = 500;
  std::string code;            ///< `urn:cairn:problem:<code>`
  std::string detail;          ///< one sentence that names the input
  std::string facts;           ///< further members, rendered: `,"offset":7`
  std::string header_lines;    ///< further header lines, each with its CRLF
  bool may_be_stored = false;  ///< of a write: `outcome` is "unknown"
  bool close = false;          ///< the connection cannot be used for another request

  problem with_fact(std::string_view name, std::uint64_t value) &&;
  problem with_fact(std::string_view name, std::string_view value) &&;
  /// @pre `line` has no CR or LF of its own.
  problem with_header(std::string_view name, std::string_view value) &&;
  problem closing() &&;
};

/// `code` is a stable word with hyphens.
[[nodiscard]] problem make_problem(int status, std::string_view code, std::string detail);

/// 400 `invalid-argument`.
[[nodiscard]] problem bad_argument(std::string detail);

/// 400 `bad-request` that ends the connection: the framing cannot be trusted any more.
[[nodiscard]] problem bad_framing(std::string detail);

/// The HTTP status of an error of the node.
[[nodiscard]] int status_of(errc code);

/// From an error of the node, with its facts (bounds, leader, Retry-After).
[[nodiscard]] problem problem_of(const failure& what, std::string_view log);

/// The JSON text. `outcome` adds the member `outcome`, a `trace_id` the member `request_id`.
[[nodiscard]] std::string to_json(const problem& what, write_outcome outcome,
                                  std::string_view trace_id = {});

}  // namespace cairn::net
