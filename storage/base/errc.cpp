#include "storage/base/errc.hpp"

namespace cairn {

std::string_view to_string(errc code) {
  switch (code) {
    case errc::none:
      return "none";
    case errc::invalid_argument:
      return "invalid-argument";
    case errc::too_large:
      return "too-large";
    case errc::not_found:
      return "not-found";
    case errc::already_exists:
      return "already-exists";
    case errc::offset_not_written:
      return "offset-not-written";
    case errc::offset_trimmed:
      return "offset-trimmed";
    case errc::expected_offset_missed:
      return "expected-offset-missed";
    case errc::unsupported:
      return "unsupported";
    case errc::overloaded:
      return "overloaded";
    case errc::unavailable:
      return "unavailable";
    case errc::disk_full:
      return "disk-full";
    case errc::would_block:
      return "would-block";
    case errc::locked:
      return "locked";
    case errc::outcome_unknown:
      return "outcome-unknown";
    case errc::key_reused:
      return "key-reused";
    case errc::sequence_gap:
      return "sequence-gap";
    case errc::producer_fenced:
      return "producer-fenced";
    case errc::sequence_too_old:
      return "sequence-too-old";
    case errc::corruption:
      return "corruption";
    case errc::io_error:
      return "io-error";
    case errc::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace cairn
