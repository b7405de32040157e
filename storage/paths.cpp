#include "storage/paths.hpp"

#include <charconv>
#include <fmt/format.h>

namespace cairn::storage {

namespace {
constexpr std::size_t k_digits = 20;  // of 2^64 - 1
}

std::string segment_file_name(record_offset base, std::string_view suffix) {
  return fmt::format("{:020}{}", base.value(), suffix);
}

std::optional<record_offset> parse_segment_file_name(std::string_view name,
                                                     std::string_view suffix) {
  if (name.size() != k_digits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::uint64_t value = 0;
  const char* const last = name.data() + k_digits;
  const auto [end, failure] = std::from_chars(name.data(), last, value);
  if (failure != std::errc{} || end != last) return std::nullopt;
  return record_offset(value);
}

std::string parent_path(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string join_path(const std::string& directory, std::string_view name) {
  return fmt::format("{}/{}", directory, name);
}

}  // namespace cairn::storage
