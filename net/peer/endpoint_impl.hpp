#pragma once
// What the two halves of the endpoint share: endpoint_accept.cpp lets others in, endpoint_dial.cpp
// dials.

#include "net/peer/endpoint.hpp"
#include "net/peer/link_table.hpp"
#include "net/peer/refusal_log.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>

namespace cairn::net {

/// "host:port", "[v6]:port".
[[nodiscard]] std::string name_of(const boost::asio::ip::tcp::endpoint& endpoint);

/// The address that a node tells may be that of a listener on all interfaces: then its host is the
/// one of `remote`, the other end of a connection to it.
void complete_address(peer_hello& hello, const std::string& remote);

/// Everything but the construction and the posting belongs to the endpoint's thread.
class peer_endpoint::impl {
public:
  explicit impl(peer_endpoint_config config);
  ~impl();

  std::thread thread;  // of run(); the outside starts and joins it

  status open();
  void run();
  void stop();
  template <class F>
  void post(F work);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& address() const { return config_.self.address; }
  /// After run() has returned: waits for name lookups that are under way, and says whether one is.
  void finish_lookups(std::chrono::milliseconds most);
  [[nodiscard]] bool looking_up() const { return lookups_ > 0; }

  void connect(const std::string& node, const std::string& address);
  void forget(const std::string& name);
  void link_lost(const std::string& node, std::uint64_t session);

private:
  using tcp = boost::asio::ip::tcp;
  using clock = std::chrono::steady_clock;
  using connection_ptr = std::shared_ptr<peer_connection>;

  /// The control lane of a session that another node has begun; it waits for the other lanes.
  struct begun_session {
    peer_hello hello;
    std::array<connection_ptr, k_peer_lane_count> lanes;
    std::array<std::string, k_peer_lane_count> transports;
  };
  using session_key = std::pair<std::string, std::uint64_t>;  // node, session

  /// One try to make a link.
  struct attempt {
    explicit attempt(boost::asio::io_context& io) : socket(io), deadline(io) {}
    std::uint64_t session = 0;
    std::string node;  ///< once known
    bool in_table = false;
    bool over = false;
    peer_socket socket;  ///< while it connects
    boost::asio::steady_timer deadline;
    tcp::endpoint where;
    peer_hello remote;
    std::array<connection_ptr, k_peer_lane_count> lanes;
    std::array<std::string, k_peer_lane_count> transports;
  };
  using attempt_ptr = std::shared_ptr<attempt>;

  /// An address to keep dialling.
  struct target {
    explicit target(boost::asio::io_context& io) : timer(io) {}
    std::string node;  ///< empty: whoever answers
    std::string met;   ///< who answered last, for a target without a node
    std::string address;
    unsigned failures = 0;
    clock::time_point linked_at;
    attempt_ptr trying;
    boost::asio::steady_timer timer;
  };

  // --- accepting, endpoint_accept.cpp ------------------------------------------------------------
  void accept_next();
  void accepted(peer_socket socket);
  bool make_room();
  void on_first_frame(const connection_ptr& c, result<peer_frame> frame);
  void on_hello(const connection_ptr& c, peer_hello hello);
  void begin_session(const connection_ptr& c, peer_hello hello);
  void open_session(const connection_ptr& c, peer_hello hello);
  void begin_observer(const connection_ptr& c, peer_hello hello);
  [[nodiscard]] std::string objection_to_observer(const peer_hello& hello) const;
  void add_lane(const connection_ptr& c, peer_hello hello);
  void lane_spoke(const connection_ptr& c);
  void session_done(const session_key& key);
  void end_session(const session_key& key, const connection_ptr& keep = nullptr);
  void turn_away(const connection_ptr& c, peer_refusal why, std::string reason,
                 std::string_view who = {});
  void drop(const connection_ptr& c);

  // --- dialling, endpoint_dial.cpp ---------------------------------------------------------------
  void schedule(const std::string& key, bool soon);
  void dial(const std::string& key);
  void resolved(const std::string& key, const attempt_ptr& a,
                const tcp::resolver::results_type& found);
  void connected(const std::string& key, const attempt_ptr& a, std::size_t lane);
  void dial_next_lane(const std::string& key, const attempt_ptr& a, std::size_t lane);
  void on_answer(const std::string& key, const attempt_ptr& a, std::size_t lane,
                 result<peer_frame> frame);
  void on_welcome(const std::string& key, const attempt_ptr& a, std::size_t lane,
                  peer_hello welcome);
  void attempt_done(const std::string& key, const attempt_ptr& a);
  void fail(const std::string& key, const attempt_ptr& a, peer_refusal why, bool inbound,
            const std::string& line);
  void end_attempt(const attempt_ptr& a);
  void give_up_dial(const std::string& node);
  void wake_targets(const std::string& node);
  [[nodiscard]] bool satisfied(const target& t) const;

  // --- both, endpoint.cpp ------------------------------------------------------------------------
  struct objection {
    peer_refusal why = peer_refusal::none;
    std::string reason;
  };
  /// What speaks against a link with whoever sent `hello`, apart from who dialled first.
  [[nodiscard]] objection object_to(const peer_hello& hello) const;
  [[nodiscard]] objection object_to_cluster(const peer_hello& hello) const;
  [[nodiscard]] peer_hello own_hello(std::size_t lane, std::uint64_t session) const;
  void hand_over(const peer_hello& hello, bool dialled,
                 std::array<connection_ptr, k_peer_lane_count>& lanes,
                 const std::array<std::string, k_peer_lane_count>& transports);
  void refused(peer_refusal why, bool inbound, const std::string& line);
  [[nodiscard]] std::chrono::milliseconds jittered(std::chrono::milliseconds span);

  peer_endpoint_config config_;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> stay_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  tcp::resolver resolver_;
  std::uint16_t port_ = 0;
  std::uint64_t incarnation_ = 0;
  std::mt19937_64 random_;
  link_table table_;
  refusal_log log_;
  std::list<connection_ptr> half_open_;  // oldest first
  std::map<session_key, begun_session> sessions_;
  /// The links of observers, by id. They are in no link_table: nobody dials them, and no node can
  /// be confused with them.
  struct observer_link {
    std::uint64_t session = 0;
    std::string data_id;
  };
  std::map<std::string, observer_link> observers_;
  std::map<std::string, std::unique_ptr<target>> targets_;  // by node, or by address without one
  std::size_t lookups_ = 0;                                 // under way, cancelled or not
  bool stopped_ = false;
};

}  // namespace cairn::net
