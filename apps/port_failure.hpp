#pragma once
// How a port says why it does not answer as asked.

#include "actors/type_ids.hpp"
#include "net/backend.hpp"

#include <caf/error.hpp>
#include <caf/message.hpp>
#include <fmt/format.h>
#include <string>
#include <variant>

namespace cairn::apps {

inline net::log_bounds bounds_of(const actors::log_range& range) {
  return {.lowest = range.lowest, .next = range.next};
}

/// When a client may try again, by why it was refused.
inline std::uint32_t retry_hint_ms(errc code) {
  switch (code) {
    case errc::overloaded:
      return 100;
    case errc::unavailable:
      return 1'000;
    case errc::disk_full:
      return 5'000;
    default:
      return 0;
  }
}

inline net::failure make_failure(errc code, std::string detail) {
  net::failure failure;
  failure.code = code;
  failure.detail = std::move(detail);
  failure.retry_after_ms = retry_hint_ms(code);
  return failure;
}

inline net::failure unknown_log(const std::string& log) {
  return make_failure(errc::not_found, fmt::format("there is no log '{}'", log));
}

/// The response as a T, or why there is none.
template <class T>
std::variant<T*, net::failure> response_of(caf::message& message) {
  if (message.match_elements<T>()) return &message.get_mutable_as<T>(0);
  auto why = message.match_elements<caf::error>() ? caf::to_string(message.get_as<caf::error>(0))
                                                  : std::string("an unexpected response");
  return make_failure(errc::unavailable, "the actor that should answer has ended: " + why);
}

}  // namespace cairn::apps
