#include "net/peer/endpoint_impl.hpp"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <fmt/format.h>

namespace cairn::net {

namespace {

/// "host:port", "[v6]:port". Empty host: no address.
std::pair<std::string, std::string> split(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) return {};
  auto host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  return {host, address.substr(colon + 1)};
}

}  // namespace

void peer_endpoint::impl::connect(const std::string& node, const std::string& address) {
  if (stopped_ || node == config_.self.node_id) return;
  const auto& key = node.empty() ? address : node;
  auto& slot = targets_[key];
  if (slot && slot->address == address) return;
  if (!slot) slot = std::make_unique<target>(io_);
  slot->node = node;
  slot->address = address;
  slot->failures = 0;
  if (slot->trying) {  // it may be at the old address
    end_attempt(slot->trying);
    slot->trying = nullptr;
  }
  schedule(key, true);
}

void peer_endpoint::impl::forget(const std::string& name) {
  const auto found = targets_.find(name);
  if (found == targets_.end()) return;
  found->second->timer.cancel();
  if (found->second->trying) end_attempt(found->second->trying);
  targets_.erase(found);
}

bool peer_endpoint::impl::satisfied(const target& t) const {
  const auto& node = t.node.empty() ? t.met : t.node;
  return !node.empty() && table_.busy(node);
}

/// Dials when it is time; at once if nothing has failed and `soon`.
void peer_endpoint::impl::schedule(const std::string& key, bool soon) {
  const auto found = targets_.find(key);
  if (stopped_ || found == targets_.end()) return;
  auto& t = *found->second;
  if (t.trying || satisfied(t)) return;
  const auto& limits = config_.limits;
  std::chrono::milliseconds wait{0};
  if (!soon || t.failures > 0) {
    const unsigned doublings = std::min(t.failures, 10U);
    wait = jittered(std::min(limits.backoff_min * (1U << doublings), limits.backoff_max));
  }
  t.timer.expires_after(wait);
  t.timer.async_wait([this, key](const boost::system::error_code& ec) {
    if (!ec) dial(key);
  });
}

/// After a session of `node` has ended without a link.
void peer_endpoint::impl::wake_targets(const std::string& node) {
  for (auto& [key, t] : targets_)
    if (t->node == node || t->met == node) schedule(key, false);
}

void peer_endpoint::impl::dial(const std::string& key) {
  const auto found = targets_.find(key);
  if (stopped_ || found == targets_.end()) return;
  auto& t = *found->second;
  if (t.trying || satisfied(t)) return;
  auto a = std::make_shared<attempt>(io_);
  a->session = random_();
  a->node = t.node;
  t.trying = a;
  const auto [host, service] = split(t.address);
  if (host.empty()) {
    return fail(key, a, peer_refusal::policy, false,
                fmt::format("'{}' is not an address to dial: host:port is one", t.address));
  }
  a->deadline.expires_after(config_.limits.dial);
  a->deadline.async_wait([this, key, a](const boost::system::error_code& ec) {
    if (ec || a->over) return;
    fail(key, a, peer_refusal::unreachable, false,
         fmt::format("cannot reach {}: no connection within {} ms", key,
                     config_.limits.dial.count()));
  });
  ++lookups_;
  resolver_.async_resolve(
      host, service,
      [this, key, a](const boost::system::error_code& ec, const tcp::resolver::results_type& all) {
        --lookups_;
        if (a->over) return;
        if (ec) {
          return fail(key, a, peer_refusal::unreachable, false,
                      fmt::format("cannot find {}: {}", key, ec.message()));
        }
        resolved(key, a, all);
      });
}

void peer_endpoint::impl::resolved(const std::string& key, const attempt_ptr& a,
                                   const tcp::resolver::results_type& found) {
  boost::asio::async_connect(
      a->socket, found,
      [this, key, a](const boost::system::error_code& ec, const tcp::endpoint& where) {
        if (a->over) return;
        if (ec) {
          return fail(key, a, peer_refusal::unreachable, false,
                      fmt::format("cannot reach {}: {}", key, ec.message()));
        }
        a->where = where;
        connected(key, a, 0);
      });
}

void peer_endpoint::impl::connected(const std::string& key, const attempt_ptr& a,
                                    std::size_t lane) {
  set_peer_socket_options(a->socket, config_.limits.silence);
  a->deadline.cancel();
  auto c = std::make_shared<peer_connection>(io_, make_plain_stream(std::move(a->socket)), key);
  a->lanes.at(lane) = c;
  if (lane == 0) {
    // The other side may have begun a session while we were connecting.
    if (!a->node.empty() && table_.busy(a->node))
      return fail(key, a, peer_refusal::none, false, {});
    if (!a->node.empty()) {
      table_.dial_begins(a->node);
      a->in_table = true;
    }
  }
  c->set_deadline(config_.limits.hello, [this, key, a] {
    if (a->over) return;
    fail(key, a, peer_refusal::too_slow, false,
         fmt::format("{} does not answer a hello within {} ms", key, config_.limits.hello.count()));
  });
  c->send(encode_hello(peer_frame_type::hello, own_hello(lane, a->session)),
          [this, key, a, lane](bool ok) {
            if (a->over) return;
            if (!ok) {
              return fail(key, a, peer_refusal::unreachable, false,
                          fmt::format("{} closed the connection", key));
            }
            a->lanes.at(lane)->receive([this, key, a, lane](result<peer_frame> frame) {
              if (!a->over) on_answer(key, a, lane, std::move(frame));
            });
          });
}

void peer_endpoint::impl::dial_next_lane(const std::string& key, const attempt_ptr& a,
                                         std::size_t lane) {
  a->socket = peer_socket(io_);
  a->deadline.expires_after(config_.limits.dial);
  a->deadline.async_wait([this, key, a](const boost::system::error_code& ec) {
    if (ec || a->over) return;
    fail(key, a, peer_refusal::unreachable, false,
         fmt::format("cannot reach {} a second time", key));
  });
  a->socket.async_connect(a->where, [this, key, a, lane](const boost::system::error_code& ec) {
    if (a->over) return;
    if (ec) {
      return fail(key, a, peer_refusal::unreachable, false,
                  fmt::format("cannot reach {} a second time: {}", key, ec.message()));
    }
    connected(key, a, lane);
  });
}

void peer_endpoint::impl::on_answer(const std::string& key, const attempt_ptr& a, std::size_t lane,
                                    result<peer_frame> frame) {
  if (!frame) {
    const bool foreign = frame.code() == errc::invalid_argument;
    return fail(key, a, foreign ? peer_refusal::not_a_peer : peer_refusal::unreachable, false,
                fmt::format("no link to {}: {}", key, frame.error().detail));
  }
  if (frame->header.type == peer_frame_type::refusal) {
    auto note = decode_refusal(frame->body);
    if (!note) {
      return fail(key, a, peer_refusal::bad_hello, false,
                  fmt::format("no link to {}: {}", key, note.error().detail));
    }
    return fail(key, a, note->why, false,
                fmt::format("{} refuses a link ({}): {}", key, to_string(note->why), note->reason));
  }
  if (frame->header.version != k_peer_version || frame->header.type != peer_frame_type::welcome) {
    return fail(key, a, peer_refusal::version, false,
                fmt::format("no link to {}: it speaks peer protocol version {}, this node {}", key,
                            frame->header.version, k_peer_version));
  }
  auto welcome = decode_hello(frame->body);
  if (!welcome || welcome->lane != lane || welcome->session != a->session) {
    return fail(key, a, peer_refusal::bad_hello, false,
                fmt::format("no link to {}: {}", key,
                            welcome ? "its welcome is for another session"
                                    : welcome.error().detail.c_str()));
  }
  on_welcome(key, a, lane, std::move(*welcome));
}

void peer_endpoint::impl::on_welcome(const std::string& key, const attempt_ptr& a, std::size_t lane,
                                     peer_hello welcome) {
  auto& t = *targets_.at(key);
  a->transports.at(lane) = welcome.transport;
  if (lane + 1 == k_peer_lane_count) {
    const bool same =
        welcome.node_id == a->remote.node_id && welcome.incarnation == a->remote.incarnation;
    if (same) return attempt_done(key, a);
    return fail(key, a, peer_refusal::bad_hello, false,
                fmt::format("no link to {}: its lanes end at different processes", key));
  }
  auto against = object_to(welcome);
  if (against.why == peer_refusal::none && is_observer(welcome))
    against = {peer_refusal::observer, "an observer answered, and those are not dialled"};
  if (against.why == peer_refusal::none && !t.node.empty() && t.node != welcome.node_id) {
    against = {peer_refusal::unexpected_node,
               fmt::format("node {} was dialled at {}, node {} answered", t.node, t.address,
                           welcome.node_id)};
  }
  if (against.why != peer_refusal::none) {
    a->lanes.at(lane)->send_and_close(encode_refusal({against.why, against.reason}));
    return fail(key, a, against.why, false, fmt::format("no link to {}: {}", key, against.reason));
  }
  if (t.node.empty()) {
    t.met = welcome.node_id;
    if (!table_.dial_goes_first(welcome.node_id))
      return fail(key, a, peer_refusal::none, false, {});
    a->node = welcome.node_id;
    table_.dial_begins(a->node);
    a->in_table = true;
  }
  complete_address(welcome, name_of(a->where));
  a->remote = std::move(welcome);
  dial_next_lane(key, a, lane + 1);
}

void peer_endpoint::impl::attempt_done(const std::string& key, const attempt_ptr& a) {
  targets_.at(key)->trying = nullptr;
  a->over = true;
  a->deadline.cancel();
  if (a->in_table) table_.dial_ends(a->node);
  // A session that the other side has begun in the meantime lost to this dial (link_table).
  const auto begun = std::find_if(sessions_.begin(), sessions_.end(),
                                  [&](const auto& x) { return x.first.first == a->node; });
  if (begun != sessions_.end()) {
    const auto ended = begun->first;
    end_session(ended);
  }
  hand_over(a->remote, true, a->lanes, a->transports);
}

/// Ends the attempt and tries again later. `why` none: it was not needed any more.
void peer_endpoint::impl::fail(const std::string& key, const attempt_ptr& a, peer_refusal why,
                               bool inbound, const std::string& line) {
  end_attempt(a);
  refused(why, inbound, line);
  const bool in_order = why == peer_refusal::none || why == peer_refusal::crossed ||
                        why == peer_refusal::already_linked;
  if (!in_order && config_.on_dial_failed) config_.on_dial_failed(key, why, line);
  const auto found = targets_.find(key);
  if (found == targets_.end() || found->second->trying != a) return;
  auto& t = *found->second;
  t.trying = nullptr;
  // Somebody else's dial goes first: look again soon whether it came to something.
  if (in_order) {
    t.failures = 1;
  } else {
    ++t.failures;
  }
  schedule(key, false);
}

void peer_endpoint::impl::end_attempt(const attempt_ptr& a) {
  if (a->over) return;
  a->over = true;
  a->deadline.cancel();
  boost::system::error_code ignored;
  a->socket.close(ignored);
  for (const auto& lane : a->lanes)
    if (lane) lane->close();
  if (a->in_table) table_.dial_ends(a->node);
}

/// The other side's dial takes the place of ours.
void peer_endpoint::impl::give_up_dial(const std::string& node) {
  for (auto& [key, t] : targets_) {
    if (!t->trying || t->trying->node != node) continue;
    end_attempt(t->trying);
    t->trying = nullptr;
  }
}

}  // namespace cairn::net
