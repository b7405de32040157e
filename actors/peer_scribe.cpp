#include "actors/peer_scribe.hpp"

#include <algorithm>
#include <caf/io/receive_policy.hpp>
#include <sys/socket.h>

namespace cairn::actors {

namespace {

/// A buffer beyond this is given back after use: one large frame must not cost memory for ever.
constexpr std::size_t k_kept_bytes_max = std::size_t{1} << 20;
/// So many flushes in a row that needed no more: what is written now is small. Under load these are
/// milliseconds, and large frames come more often; heartbeats alone take half a minute.
constexpr std::uint32_t k_small_flushes = 64;

}  // namespace

peer_scribe::peer_scribe(caf::io::network::default_multiplexer& loop,
                         caf::io::network::native_socket socket, peer_frame_filter filter,
                         std::shared_ptr<peer_waiting> waiting, events on)
    : scribe_impl(loop, socket),
      filter_(std::move(filter)),
      waiting_(std::move(waiting)),
      on_(std::move(on)) {
  stream_.ack_writes(true);
}

peer_scribe::~peer_scribe() = default;

/// After this the kernel reports an error for whatever is registered, reading or writing, and CAF
/// lets the connection go. Without it a peer that never reads would keep its buffers for ever.
void peer_scribe::shut_socket() {
  ::shutdown(stream_.fd(), SHUT_RDWR);
}

void peer_scribe::cut(const std::string& reason) {
  if (!told_) reason_ = reason;
  graceful_shutdown();
}

/// Called by BASP when a connection has been silent for too long, and for all of them at the end.
void peer_scribe::graceful_shutdown() {
  if (reason_.empty()) reason_ = "it was silent for too long";
  scribe_impl::graceful_shutdown();
  shut_socket();
}

void peer_scribe::detach_from(caf::io::abstract_broker* broker) {
  scribe_impl::detach_from(broker);
  waiting_->in_buffer.store(0, std::memory_order_relaxed);
  if (told_) return;
  told_ = true;
  on_.lost(reason_.empty() ? "the connection was closed by the other side or broke" : reason_);
}

// --- reading -------------------------------------------------------------------------------------

void peer_scribe::read_next(state next, std::size_t size) {
  state_ = next;
  stream_.configure_read(caf::io::receive_policy::exactly(size));
}

bool peer_scribe::consume(caf::execution_unit* ctx, const void* data, std::size_t size) {
  if (detached()) return false;
  switch (state_) {
    case state::header:
      rd_buf().resize(size);
      return on_header(ctx);
    case state::payload:
      rd_buf().resize(size);
      return on_payload(ctx);
    case state::swallow:
      read_next(state::header, k_basp_header_bytes);
      return true;
  }
  return scribe_impl::consume(ctx, data, size);
}

bool peer_scribe::on_header(caf::execution_unit* ctx) {
  auto& bytes = rd_buf();
  if (bytes.size() != k_basp_header_bytes) return break_off(ctx);
  const auto verdict =
      filter_.judge_header({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  if (verdict == frame_verdict::cut) return break_off(ctx);
  const std::size_t payload = filter_.payload_bytes();
  if (verdict == frame_verdict::swallow) {
    if (payload > 0) read_next(state::swallow, payload);
    return true;
  }
  if (payload > 0) {
    // BASP gets both at once, when the payload has been judged too.
    header_.swap(bytes);
    read_next(state::payload, payload);
    return true;
  }
  header_.swap(bytes);
  return hand_on(ctx, header_);
}

bool peer_scribe::on_payload(caf::execution_unit* ctx) {
  auto& bytes = rd_buf();
  const bool greeted_before = filter_.greeted();
  const auto verdict =
      filter_.judge_payload({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  if (verdict == frame_verdict::cut) return break_off(ctx);
  read_next(state::header, k_basp_header_bytes);
  if (verdict == frame_verdict::swallow) return true;
  payload_.swap(bytes);
  if (!hand_on(ctx, header_) || !hand_on(ctx, payload_)) return false;
  if (payload_.capacity() > k_kept_bytes_max) payload_ = {};
  if (!greeted_before) on_.greeted(*this);
  return !detached();
}

/// BASP asks for what it wants next by configure_read(), which is what we read next anyway.
bool peer_scribe::hand_on(caf::execution_unit* ctx, caf::byte_buffer& bytes) {
  rd_buf().swap(bytes);
  const bool more = scribe_impl::consume(ctx, rd_buf().data(), rd_buf().size());
  rd_buf().swap(bytes);
  return more && !detached();
}

bool peer_scribe::break_off(caf::execution_unit* ctx) {
  if (!told_) reason_ = "it sent " + filter_.reason();
  // Tells BASP, which forgets the route and the proxies.
  io_failure(ctx, caf::io::network::operation::read);
  shut_socket();
  return false;
}

// --- writing -------------------------------------------------------------------------------------

void peer_scribe::flush() {
  const auto before = wr_buf().size();
  scribe_impl::flush();
  const auto after = wr_buf().size();
  if (after < before) in_flight_ = before;  // nothing was in flight; the stream took it all
  waiting_->in_buffer.store(in_flight_ + after, std::memory_order_relaxed);
  give_back(before);
}

/// A peer that was slow for a moment has left us with buffers of all that waited for it. There are
/// two: what gathers, and what is written; CAF shows us the first, and swaps them with each write.
void peer_scribe::give_back(std::size_t needed) {
  if (needed > k_kept_bytes_max) {
    small_flushes_ = 0;
  } else if (small_flushes_ < k_small_flushes) {
    ++small_flushes_;
  } else if (wr_buf().empty() && wr_buf().capacity() > k_kept_bytes_max) {
    caf::byte_buffer().swap(wr_buf());
  }
}

void peer_scribe::data_transferred(caf::execution_unit*, std::size_t written,
                                   std::size_t remaining) {
  in_flight_ -= std::min(in_flight_, written);
  // With everything written the stream goes on with what has gathered.
  if (in_flight_ == 0) in_flight_ = remaining;
  waiting_->in_buffer.store(detached() ? 0 : remaining, std::memory_order_relaxed);
}

}  // namespace cairn::actors
