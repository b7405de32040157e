#include "net/peer/endpoint_impl.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::chrono::milliseconds k_pause{50};  // after the system had no descriptor left

}  // namespace

void peer_endpoint::impl::accept_next() {
  acceptor_.async_accept([this](const boost::system::error_code& ec, peer_socket socket) {
    if (stopped_ || ec == boost::asio::error::operation_aborted) return;
    if (!ec) {
      accepted(std::move(socket));
      return accept_next();
    }
    if (ec == boost::asio::error::connection_aborted) return accept_next();
    // No descriptors or memory: accepting at once again would spin.
    if (config_.log) config_.log(fmt::format("cannot accept: {}", ec.message()));
    pause_.expires_after(k_pause);
    pause_.async_wait([this](const boost::system::error_code& aborted) {
      if (!aborted && !stopped_) accept_next();
    });
  });
}

void peer_endpoint::impl::accepted(peer_socket socket) {
  boost::system::error_code ec;
  const auto remote = socket.remote_endpoint(ec);
  if (ec) return;
  if (!make_room()) {
    refused(peer_refusal::busy, true,
            fmt::format("closed {}: {} connections have not finished their hello", name_of(remote),
                        half_open_.size()));
    return;
  }
  set_peer_socket_options(socket, config_.limits.silence);
  auto c =
      std::make_shared<peer_connection>(io_, make_plain_stream(std::move(socket)), name_of(remote));
  half_open_.push_back(c);
  c->set_deadline(config_.limits.hello, [this, c = c.get()] {
    const auto self = c->shared_from_this();
    drop(self);
    refused(peer_refusal::too_slow, true,
            fmt::format("closed {}: no whole hello within {} ms", self->remote(),
                        config_.limits.hello.count()));
  });
  c->receive([this, c = c.get()](result<peer_frame> frame) {
    on_first_frame(c->shared_from_this(), std::move(frame));
  });
}

/// When too many have not finished, the oldest that has said nothing goes: a node says its hello at
/// once.
bool peer_endpoint::impl::make_room() {
  if (half_open_.size() < config_.limits.half_open) return true;
  const auto silent =
      std::find_if(half_open_.begin(), half_open_.end(), [](const auto& c) { return !c->heard(); });
  if (silent == half_open_.end()) return false;
  const auto c = *silent;
  half_open_.erase(silent);
  c->close();
  refused(peer_refusal::busy, true,
          fmt::format("closed {}, which has said nothing yet: more than {} connections have not "
                      "finished their hello",
                      c->remote(), config_.limits.half_open));
  return true;
}

/// Closes `c`, and the session that it belongs to.
void peer_endpoint::impl::drop(const connection_ptr& c) {
  half_open_.remove(c);
  c->close();
  for (const auto& [key, s] : sessions_) {
    if (std::find(s.lanes.begin(), s.lanes.end(), c) != s.lanes.end()) {
      const auto ended = key;
      return end_session(ended);
    }
  }
}

void peer_endpoint::impl::turn_away(const connection_ptr& c, peer_refusal why, std::string reason,
                                    std::string_view who) {
  refused(
      why, true,
      fmt::format("refused {}{}{}: {}", who.empty() ? "" : "node ", who,
                  fmt::format(fmt::runtime(who.empty() ? "{}" : " at {}"), c->remote()), reason));
  half_open_.remove(c);
  c->send_and_close(encode_refusal({why, std::move(reason)}));
}

void peer_endpoint::impl::on_first_frame(const connection_ptr& c, result<peer_frame> frame) {
  if (!frame) {
    drop(c);
    if (frame.code() == errc::invalid_argument) {
      refused(peer_refusal::not_a_peer, true,
              fmt::format("closed {}: {}", c->remote(), frame.error().detail));
    }
    return;
  }
  if (frame->header.version != k_peer_version) {
    return turn_away(c, peer_refusal::version,
                     fmt::format("peer protocol version {} is not spoken here, only {}",
                                 frame->header.version, k_peer_version));
  }
  if (frame->header.type != peer_frame_type::hello)
    return turn_away(c, peer_refusal::bad_hello, "the first frame is no hello");
  auto hello = decode_hello(frame->body);
  if (!hello) return turn_away(c, peer_refusal::bad_hello, hello.error().detail);
  complete_address(*hello, c->remote());
  on_hello(c, std::move(*hello));
}

void peer_endpoint::impl::on_hello(const connection_ptr& c, peer_hello hello) {
  auto against = object_to(hello);
  if (against.why != peer_refusal::none)
    return turn_away(c, against.why, std::move(against.reason), hello.node_id);
  if (hello.lane != 0) return add_lane(c, std::move(hello));
  if (is_observer(hello)) return begin_observer(c, std::move(hello));
  begin_session(c, std::move(hello));
}

/// Why `hello`, which is an observer's, does not become a link. Empty: it does.
std::string peer_endpoint::impl::objection_to_observer(const peer_hello& hello) const {
  const auto& id = hello.node_id;
  std::size_t others = 0;
  bool taken = table_.busy(id) || targets_.count(id) != 0;
  for (const auto& [other, one] : observers_) {
    if (other != id) ++others;
    // Its own link that it has lost makes room for the new one.
    if (other == id && one.data_id != hello.data_id) taken = true;
  }
  for (const auto& [key, s] : sessions_)
    if (key.first != id && is_observer(s.hello)) ++others;
  if (taken)
    return fmt::format("the id {} belongs to somebody else: an observer makes up its own", id);
  if (others >= config_.limits.observers) {
    return fmt::format(
        "node {} has {} observers, which is the most: end one, or look through "
        "another node",
        config_.self.node_id, others);
  }
  return {};
}

void peer_endpoint::impl::begin_observer(const connection_ptr& c, peer_hello hello) {
  auto against = objection_to_observer(hello);
  if (!against.empty())
    return turn_away(c, peer_refusal::observer, std::move(against), hello.node_id);
  open_session(c, std::move(hello));
}

void peer_endpoint::impl::begin_session(const connection_ptr& c, peer_hello hello) {
  const auto verdict = table_.judge(hello, clock::now());
  if (verdict.refuse == peer_refusal::data_directory) {
    return turn_away(c, verdict.refuse,
                     fmt::format("a node {} with another data directory is linked: two nodes must "
                                 "not have the same id",
                                 hello.node_id),
                     hello.node_id);
  }
  if (verdict.refuse != peer_refusal::none) {
    return turn_away(c, verdict.refuse,
                     verdict.refuse == peer_refusal::crossed
                         ? "both dialled at once and the other dial goes first"
                         : "there is a link already",
                     hello.node_id);
  }
  if (verdict.give_up_dial) give_up_dial(hello.node_id);
  const auto node = hello.node_id;
  const auto session = hello.session;
  open_session(c, std::move(hello));
  table_.session_begins(node, session);
}

/// Welcomes the first lane of a session.
void peer_endpoint::impl::open_session(const connection_ptr& c, peer_hello hello) {
  // Who begins anew has lost what it had begun before.
  for (auto i = sessions_.begin(); i != sessions_.end(); ++i) {
    if (i->first.first == hello.node_id) {
      const auto ended = i->first;
      end_session(ended);
      break;
    }
  }
  const session_key key{hello.node_id, hello.session};
  auto& s = sessions_[key];
  s.hello = hello;
  s.lanes[0] = c;
  s.transports[0] = hello.transport;
  c->send(encode_hello(peer_frame_type::welcome, own_hello(0, hello.session)),
          [this, c = c.get()](bool ok) {
            const auto self = c->shared_from_this();
            if (!ok) return drop(self);
            // The dialler now makes the other lane, or closes this one.
            self->watch([this, c] { lane_spoke(c->shared_from_this()); });
          });
}

/// The dialler gives up: it has closed, or says why first.
void peer_endpoint::impl::lane_spoke(const connection_ptr& c) {
  for (const auto& [key, s] : sessions_) {
    if (s.lanes[0] != c) continue;
    const auto ended = key;
    end_session(ended, c);
    break;
  }
  c->receive([this, c = c.get()](result<peer_frame> frame) {
    const auto self = c->shared_from_this();
    drop(self);
    if (!frame || frame->header.type != peer_frame_type::refusal) return;
    const auto note = decode_refusal(frame->body);
    if (!note) return;
    refused(note->why, true, fmt::format("{} refuses a link: {}", self->remote(), note->reason));
  });
}

void peer_endpoint::impl::add_lane(const connection_ptr& c, peer_hello hello) {
  const session_key key{hello.node_id, hello.session};
  const auto found = sessions_.find(key);
  if (found == sessions_.end() || found->second.hello.incarnation != hello.incarnation ||
      is_observer(found->second.hello) != is_observer(hello) ||
      found->second.lanes.at(hello.lane)) {
    return turn_away(c, peer_refusal::bad_hello, "a lane of a session that was not begun",
                     hello.node_id);
  }
  found->second.lanes.at(hello.lane) = c;
  found->second.transports.at(hello.lane) = hello.transport;
  c->send(encode_hello(peer_frame_type::welcome, own_hello(hello.lane, hello.session)),
          [this, c = c.get(), key](bool ok) {
            if (!ok) return drop(c->shared_from_this());
            session_done(key);
          });
}

void peer_endpoint::impl::session_done(const session_key& key) {
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return;
  auto s = std::move(found->second);
  sessions_.erase(found);
  table_.session_ends(key.first, key.second);
  for (const auto& lane : s.lanes)
    half_open_.remove(lane);
  hand_over(s.hello, false, s.lanes, s.transports);
}

/// Closes all lanes but `keep`.
void peer_endpoint::impl::end_session(const session_key& key, const connection_ptr& keep) {
  const auto found = sessions_.find(key);
  if (found == sessions_.end()) return;
  const auto lanes = std::move(found->second.lanes);
  sessions_.erase(found);
  table_.session_ends(key.first, key.second);
  for (const auto& lane : lanes) {
    if (!lane || lane == keep) continue;
    half_open_.remove(lane);
    lane->close();
  }
  wake_targets(key.first);
}

}  // namespace cairn::net
