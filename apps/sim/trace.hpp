#pragma once
// What has happened: a hash over all of it, and the last events for people.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::sim {

class trace {
public:
  /// `what` is static text; the numbers mean what it says.
  void add(std::uint64_t time_ns, std::uint64_t node, std::string_view what, std::uint64_t a = 0,
           std::uint64_t b = 0, std::uint64_t c = 0) {
    for (const std::uint64_t part : {time_ns, node, a, b, c})
      mix(part);
    for (const char letter : what)
      mix(static_cast<unsigned char>(letter));
    ring_[count_++ % ring_.size()] = {time_ns, node, what, a, b, c};
  }

  /// Equal for equal runs.
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// The last 200 events, one a line, oldest first. Node 0 is the world.
  [[nodiscard]] std::string text() const;

private:
  struct line {
    std::uint64_t time_ns;
    std::uint64_t node;
    std::string_view what;
    std::uint64_t a, b, c;
  };
  void mix(std::uint64_t part) { hash_ = (hash_ ^ part) * 0x100000001b3U; }

  std::array<line, 200> ring_{};
  std::uint64_t count_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

}  // namespace cairn::sim
