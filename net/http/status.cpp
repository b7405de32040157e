#include "net/http/status.hpp"

#include <array>

namespace cairn::net {

namespace {

struct entry {
  int status;
  std::string_view line;
};

// Sorted; the last one stands for everything else.
constexpr std::array<entry, k_status_count> k_entries{{
    {200, "HTTP/1.1 200 OK\r\n"},
    {201, "HTTP/1.1 201 Created\r\n"},
    {204, "HTTP/1.1 204 No Content\r\n"},
    {400, "HTTP/1.1 400 Bad Request\r\n"},
    {401, "HTTP/1.1 401 Unauthorized\r\n"},
    {403, "HTTP/1.1 403 Forbidden\r\n"},
    {404, "HTTP/1.1 404 Not Found\r\n"},
    {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
    {406, "HTTP/1.1 406 Not Acceptable\r\n"},
    {408, "HTTP/1.1 408 Request Timeout\r\n"},
    {409, "HTTP/1.1 409 Conflict\r\n"},
    {410, "HTTP/1.1 410 Gone\r\n"},
    {412, "HTTP/1.1 412 Precondition Failed\r\n"},
    {413, "HTTP/1.1 413 Content Too Large\r\n"},
    {414, "HTTP/1.1 414 URI Too Long\r\n"},
    {415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
    {417, "HTTP/1.1 417 Expectation Failed\r\n"},
    {422, "HTTP/1.1 422 Unprocessable Content\r\n"},
    {429, "HTTP/1.1 429 Too Many Requests\r\n"},
    {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    {501, "HTTP/1.1 501 Not Implemented\r\n"},
    {503, "HTTP/1.1 503 Service Unavailable\r\n"},
    {504, "HTTP/1.1 504 Gateway Timeout\r\n"},
    {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
    {500, "HTTP/1.1 500 Internal Server Error\r\n"},
}};

}  // namespace

std::size_t status_slot_of(int status) {
  for (std::size_t i = 0; i + 1 < k_entries.size(); ++i) {
    if (k_entries[i].status == status) return i;
  }
  return k_entries.size() - 1;
}

int status_in_slot(std::size_t slot) {
  return k_entries.at(slot).status;
}

std::string_view status_line_of(int status) {
  return k_entries[status_slot_of(status)].line;
}

std::string_view reason_of(int status) {
  constexpr std::string_view before = "HTTP/1.1 200 ";
  const std::string_view line = status_line_of(status);
  return line.substr(before.size(), line.size() - before.size() - 2);
}

}  // namespace cairn::net
