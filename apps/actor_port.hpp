#pragma once
// One gateway thread's connection to the actors.
//
// An append: gathered here, sent to the writer as one message at flush(), answered by a message
// that the log's thread puts into our inbox. A read: answered at once from the page cache on this
// very thread; if that would mean to wait for the disk, asked of the SegmentActor; if there is
// nothing yet and the client waits, kept here until the log says that it has grown, or until its
// time runs out.
//
// Every accepted request is completed exactly once: from `ready_` (answers we know ourselves), from
// the inbox, or, when the writer has died, by the notice of that (writer_down).

#include "actors/messages.hpp"
#include "apps/actor_backend.hpp"
#include "apps/port_inbox.hpp"
#include "net/backend.hpp"

#include <caf/actor_clock.hpp>
#include <caf/actor_companion.hpp>
#include <deque>
#include <set>
#include <unordered_map>

namespace cairn::apps {

/// Owner: one gateway thread. Only the inbox is touched by others.
class actor_port : public net::backend_port {
public:
  actor_port(actor_backend& backend, std::string name, std::function<void()> wake);
  ~actor_port() override;
  actor_port(const actor_port&) = delete;
  actor_port& operator=(const actor_port&) = delete;

  net::request_id append(net::append_request request,
                         net::completion<net::append_receipt> done) override;
  net::request_id read(net::read_request request, net::completion<net::read_reply> done) override;
  net::request_id describe_log(std::string log,
                               net::completion<net::log_description> done) override;
  net::request_id list_logs(net::completion<std::vector<net::log_description>> done) override;
  net::request_id inspect(v1::InspectRequest question, std::chrono::milliseconds deadline,
                          net::completion<net::inspect_answer> done) override;
  net::request_id change_cluster(net::cluster_change change,
                                 net::completion<net::cluster_changed> done) override;
  void cancel(net::request_id id) override;
  void flush() override;
  void poll() override;

private:
  using time_point = caf::actor_clock::time_point;

  /// A read that is not answered yet: at the disk, or waiting for a commit.
  struct open_read {
    actors::segment_read request;
    std::chrono::milliseconds wait{0};
    time_point deadline;   // while waiting
    bool waiting = false;  // counted in the gate
    net::completion<net::read_reply> done;
  };
  /// Gets the response to a message, or the error that CAF or the actor gave instead.
  using response_handler = std::function<void(caf::message&)>;

  // Answers that need nobody else.
  void complete_later(net::request_id id, std::function<void()> completion);
  template <class T>
  void answer_later(net::request_id id, net::completion<T> done, net::outcome<T> outcome);
  void run_ready();

  // Messages.
  net::request_id ask(const caf::actor& whom, caf::message question, net::request_id id,
                      response_handler handler);
  void receive(caf::mailbox_element& message);
  void receive_appends(actors::append_outcomes& outcomes);
  void answer_describe(caf::mailbox_element& message);
  void describe_storage(net::request_id id, const actors::raft_report& group,
                        net::completion<net::log_description> done);
  void writer_down();

  // Appends.
  struct open_append {
    net::completion<net::append_receipt> done;
    std::uint64_t received_ns = 0;  // env::monotonic_ns()
  };
  [[nodiscard]] std::optional<net::failure> refusal(const net::append_request& request) const;

  // Reads (actor_port_reads.cpp).
  void read_after_barrier(net::request_id id, open_read read, bool from_end);
  void start_read(net::request_id id, open_read read);
  void finish_read(net::request_id id, open_read read, actors::read_outcome outcome);
  void read_cold(net::request_id id, open_read read);
  void wait_for_records(net::request_id id, open_read read, record_offset end);
  void log_grew(const actors::log_range& range);
  void alarm(std::uint64_t generation);
  void set_alarm();
  void stop_waiting(net::request_id id, open_read& read);
  [[nodiscard]] bool serves(const std::string& log) const;
  [[nodiscard]] actors::log_range range() const;

  actor_backend& backend_;
  std::shared_ptr<port_inbox> inbox_;
  caf::actor companion_;
  caf::actor_companion* companion_ptr_;
  actors::request_id next_id_ = 1;

  std::deque<std::pair<net::request_id, std::function<void()>>> ready_;
  bool polling_ = false;

  actors::append_batch gathered_;
  std::uint64_t gathered_bytes_ = 0;
  std::unordered_map<net::request_id, open_append> appends_;
  bool writer_down_ = false;

  std::unordered_map<std::uint64_t, std::pair<net::request_id, response_handler>> questions_;

  std::unordered_map<net::request_id, open_read> reads_;
  std::set<std::pair<time_point, net::request_id>> waiting_;
  std::optional<record_offset> awaiting_beyond_;  // what the writer was asked to tell us
  std::uint64_t alarm_generation_ = 0;
  std::optional<time_point> alarm_at_;
  std::uint64_t completed_ = 0;
  std::shared_ptr<actors::stage_counts> stages_;
  std::string name_;
};

}  // namespace cairn::apps
