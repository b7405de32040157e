#pragma once
// BASP's end of a connection, with a judge in front of it and a count of what waits behind it.

#include "actors/peer_frame.hpp"

#include <atomic>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/scribe_impl.hpp>
#include <functional>
#include <memory>
#include <string>

namespace cairn::actors {

/// Bytes that wait for one peer. The sender's threads and the middleman's share it.
struct peer_waiting {
  std::atomic<std::size_t> in_mailbox{0};  ///< envelopes that BASP has not serialized yet
  std::atomic<std::size_t> in_buffer{0};   ///< serialized, not taken by the kernel
};

/// Owned by the BASP broker; everything happens on the middleman's thread.
class peer_scribe : public caf::io::network::scribe_impl {
public:
  struct events {
    std::function<void(peer_scribe&)> greeted;            ///< BASP has taken the handshake
    std::function<void(const std::string& reason)> lost;  ///< once
  };

  peer_scribe(caf::io::network::default_multiplexer& loop, caf::io::network::native_socket socket,
              peer_frame_filter filter, std::shared_ptr<peer_waiting> waiting, events on);
  ~peer_scribe() override;

  /// Ends the connection now, whatever waits to be written.
  void cut(const std::string& reason);

  // --- what CAF calls ----------------------------------------------------------------------------
  bool consume(caf::execution_unit* ctx, const void* data, std::size_t size) override;
  void data_transferred(caf::execution_unit* ctx, std::size_t written,
                        std::size_t remaining) override;
  void flush() override;
  void graceful_shutdown() override;

protected:
  void detach_from(caf::io::abstract_broker* broker) override;

private:
  enum class state : std::uint8_t { header, payload, swallow };

  bool on_header(caf::execution_unit* ctx);
  bool on_payload(caf::execution_unit* ctx);
  bool hand_on(caf::execution_unit* ctx, caf::byte_buffer& bytes);
  bool break_off(caf::execution_unit* ctx);
  void read_next(state next, std::size_t size);
  void shut_socket();
  void give_back(std::size_t needed);

  peer_frame_filter filter_;
  std::shared_ptr<peer_waiting> waiting_;
  events on_;
  state state_ = state::header;
  caf::byte_buffer header_;
  caf::byte_buffer payload_;
  std::size_t in_flight_ = 0;        // of what is waiting, given to the stream
  std::uint32_t small_flushes_ = 0;  // in a row
  std::string reason_;
  bool told_ = false;
};

}  // namespace cairn::actors
