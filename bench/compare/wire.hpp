#pragma once
// What the load generator says to each kind of server, and what it understands of the answers. One
// wire a connection, all of them driven by one loop (load_loop.hpp) on one thread; no wire does
// I/O.

#include "storage/base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace cairn::bench {

enum class peer_kind : std::uint8_t { cairn, etcd, nats };
enum class work_kind : std::uint8_t {
  append,  ///< one record a request
  batch,   ///< `records_a_request` records a request (NATS has no such request: they are pipelined)
  read,    ///< the records [0, end) in order, once, in pages of `records_a_request`
};

/// What is to be done; the same for all connections.
struct work_plan {
  peer_kind peer = peer_kind::cairn;
  work_kind work = work_kind::append;
  std::string name = "default";  ///< of the log (Cairn), of the stream (NATS)
  std::uint32_t record_bytes = 100;
  std::uint32_t records_a_request = 1;
  std::uint64_t end = 0;  ///< of the records to read
};

/// What the connections share. etcd wants a key for every record: they are numbered.
struct shared_state {
  std::uint64_t next_key = 0;
};

/// What was understood of the bytes at hand.
struct heard {
  std::size_t used_bytes = 0;  ///< may be thrown away now
  std::uint32_t answers = 0;   ///< whole answers, in the order of the requests
  std::uint64_t records = 0;   ///< stored or read, as these answers say
  std::uint32_t refusals = 0;  ///< of the answers, those that refused
  std::string_view refusal;    ///< the text of one of them, valid as long as the bytes
};

class wire {
public:
  virtual ~wire() = default;

  /// What is said before the first request; `ready` turns true in hear() once that was answered.
  virtual void greet(std::string& out) = 0;
  [[nodiscard]] virtual bool ready() const = 0;

  /// Appends the bytes of one request.
  virtual void ask(std::string& out) = 0;

  /// Looks at what has come in and not been used yet; `out` takes what must be said at once. Fails
  /// with what the other side sent when that cannot be understood.
  virtual result<heard> hear(std::string_view in, std::string& out) = 0;

  /// True once there is nothing left to ask for (readers).
  [[nodiscard]] virtual bool finished() const { return false; }
};

/// `index` is the number of the connection and `count` how many there are: readers share the log
/// among them, a piece each.
[[nodiscard]] std::unique_ptr<wire> make_http_wire(const work_plan& plan, shared_state& shared,
                                                   std::uint32_t index, std::uint32_t count);
[[nodiscard]] std::unique_ptr<wire> make_nats_wire(const work_plan& plan, std::uint32_t index,
                                                   std::uint32_t count);

/// The piece of the log that one of several readers reads.
struct read_share {
  std::uint64_t from;
  std::uint64_t end;
};
[[nodiscard]] inline read_share share_of(const work_plan& plan, std::uint32_t index,
                                         std::uint32_t count) {
  const auto piece = plan.end / count;
  return {piece * index, index + 1 == count ? plan.end : piece * (index + 1)};
}

/// `bytes` bytes that are one JSON text; the same each time.
[[nodiscard]] std::string record_of(std::uint32_t bytes);

}  // namespace cairn::bench
