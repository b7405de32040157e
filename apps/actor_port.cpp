#include "apps/actor_port.hpp"

#include "actors/actor_journal.hpp"
#include "actors/type_ids.hpp"
#include "apps/port_failure.hpp"
#include "storage/frame.hpp"

#include <algorithm>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace cairn::apps {

namespace {

/// A batch is handed over early once it is this large: the log can start while we still parse.
constexpr std::uint64_t k_gathered_bytes_max = k_mib_bytes;

}  // namespace

actor_port::actor_port(actor_backend& backend, std::string name, std::function<void()> wake)
    : backend_(backend),
      inbox_(std::make_shared<port_inbox>(std::move(wake))),
      companion_(backend.actors().system().spawn<caf::actor_companion, caf::hidden>()),
      companion_ptr_(
          static_cast<caf::actor_companion*>(caf::actor_cast<caf::abstract_actor*>(companion_))),
      stages_(backend.actors().observer().times()->open()),
      name_(std::move(name)) {
  companion_ptr_->on_enqueue(
      [inbox = inbox_](caf::mailbox_element_ptr message) { inbox->put(std::move(message)); });
  gathered_.port = companion_;
  companion_ptr_->monitor(backend_.actors().writer());
  const auto& node = backend_.actors().node();
  caf::anon_send(node,
                 actors::actor_started{
                     .who = companion_, .kind = "gateway", .name = name_, .parent = node.id()});
}

actor_port::~actor_port() {
  flush();  // appends that were taken happen all the same
  for (auto& [id, read] : reads_)
    stop_waiting(id, read);
  companion_ptr_->on_enqueue(nullptr);
  inbox_->close();
  caf::anon_send(backend_.actors().node(), actors::actor_stopped{companion_.id()});
}

// --- answers that need nobody else ---------------------------------------------------------------

void actor_port::complete_later(net::request_id id, std::function<void()> completion) {
  ready_.emplace_back(id, std::move(completion));
  if (ready_.size() == 1 && !polling_) inbox_->wake();
}

template <class T>
void actor_port::answer_later(net::request_id id, net::completion<T> done,
                              net::outcome<T> outcome) {
  complete_later(id, [done = std::move(done), outcome = std::move(outcome)]() mutable {
    done(std::move(outcome));
  });
}

// Used in actor_port_reads.cpp.
template void actor_port::answer_later(net::request_id, net::completion<net::read_reply>,
                                       net::outcome<net::read_reply>);
// Used in actor_port_cluster.cpp.
template void actor_port::answer_later(net::request_id, net::completion<net::log_description>,
                                       net::outcome<net::log_description>);
template void actor_port::answer_later(net::request_id, net::completion<net::cluster_changed>,
                                       net::outcome<net::cluster_changed>);

void actor_port::run_ready() {
  // What completions ask for meanwhile comes with the next poll, so that one client cannot keep the
  // others waiting. One at a time is taken out: a completion may cancel another one.
  auto left = ready_.size();
  while (left-- > 0 && !ready_.empty()) {
    auto completion = std::move(ready_.front().second);
    ready_.pop_front();
    ++completed_;
    completion();
  }
}

// --- appends -------------------------------------------------------------------------------------

std::optional<net::failure> actor_port::refusal(const net::append_request& request) const {
  if (!serves(request.log)) return unknown_log(request.log);
  const auto bytes = request.batch.payload.size();
  if (bytes > storage::k_frame_payload_bytes_max) {
    return make_failure(errc::too_large, fmt::format("a batch of {} bytes is over the limit of {}",
                                                     bytes, storage::k_frame_payload_bytes_max));
  }
  auto& gate = *backend_.actors().gate();
  if (auto closed = gate.closed_reason(); !closed.empty() || writer_down_) {
    return make_failure(errc::unavailable, closed.empty() ? "the log has ended" : closed);
  }
  if (!gate.admit_append(bytes)) {
    backend_.actors().observer().append_failed(errc::overloaded, 1);
    return make_failure(errc::overloaded,
                        fmt::format("{} appends with {} bytes wait for the disk already",
                                    gate.queued_appends(), gate.queued_bytes()));
  }
  return std::nullopt;
}

net::request_id actor_port::append(net::append_request request,
                                   net::completion<net::append_receipt> done) {
  const auto id = next_id_++;
  if (auto refused = refusal(request)) {
    answer_later<net::append_receipt>(id, std::move(done), std::move(*refused));
    return id;
  }
  // Deadlines travel as the env's clock counts: it is what the log goes by, also in simulation.
  const auto now_ns = backend_.actors().env().monotonic_ns();
  const auto left = request.deadline - std::chrono::steady_clock::now();
  const auto left_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
  gathered_bytes_ += request.batch.payload.size();
  gathered_.items.push_back(
      {.id = id,
       .payload = std::move(request.batch.payload),
       .record_count = request.batch.record_count,
       .conditional = request.expected_offset.has_value(),
       .expected_offset = request.expected_offset.value_or(record_offset{}),
       .deadline_ns = left_ns > 0 ? now_ns + static_cast<std::uint64_t>(left_ns) : 0,
       .received_ns = now_ns});
  appends_.emplace(id, open_append{std::move(done), now_ns});
  if (gathered_bytes_ >= k_gathered_bytes_max) flush();
  return id;
}

void actor_port::flush() {
  if (gathered_.items.empty()) return;
  gathered_bytes_ = 0;
  caf::anon_send(backend_.actors().writer(),
                 std::exchange(gathered_, actors::append_batch{.port = companion_, .items = {}}));
}

void actor_port::receive_appends(actors::append_outcomes& outcomes) {
  const auto now_ns = backend_.actors().env().monotonic_ns();
  auto& total = stages_->of(actors::append_stage::total);
  for (auto& outcome : outcomes.items) {
    auto pending = appends_.extract(outcome.id);
    if (pending.empty()) continue;  // cancelled
    ++completed_;
    const auto& done = pending.mapped().done;
    if (outcome.code == errc::none) {
      total.add(now_ns - pending.mapped().received_ns);
      done(net::append_receipt{.offset = outcome.offset,
                               .count = outcome.count,
                               .timestamp_ms = outcome.timestamp_ms,
                               .term = outcome.term,
                               .index = outcome.index,
                               .durable_on = outcomes.durable_on,
                               .replicas = outcomes.replicas,
                               .replayed = outcome.replayed});
    } else {
      auto failure = make_failure(outcome.code, std::move(outcome.detail));
      failure.bounds = bounds_of(outcomes.range);
      if (outcome.code == errc::unavailable || outcome.code == errc::outcome_unknown) {
        failure.leader = backend_.leader();
      }
      // What this node knows as the end may be behind or ahead of what the append was judged by.
      if (outcome.code == errc::expected_offset_missed) failure.bounds->next = outcome.offset;
      const bool told = outcome.code == errc::sequence_gap ||
                        (outcome.code == errc::sequence_too_old && outcome.expected_seq > 0);
      if (told) failure.expected_seq = outcome.expected_seq;
      done(std::move(failure));
    }
  }
  log_grew(outcomes.range);
}

void actor_port::writer_down() {
  writer_down_ = true;
  for (auto& [id, append] : std::exchange(appends_, {})) {
    answer_later<net::append_receipt>(
        id, std::move(append.done),
        make_failure(errc::outcome_unknown,
                     "the log ended before it said whether the records are stored"));
  }
}

// --- messages ------------------------------------------------------------------------------------

void actor_port::answer_describe(caf::mailbox_element& message) {
  actors::actor_report report;
  report.id = companion_.id();
  report.kind = "gateway";
  report.name = name_;
  report.parent = backend_.actors().node().id();
  report.processed = completed_;
  report.mailbox = ready_.size() + inbox_->size();
  report.busy_ns = actors::thread_cpu_ns();
  report.state = fmt::format("{} appends open, {} reads open, {} of them waiting for records",
                             appends_.size(), reads_.size(), waiting_.size());
  message.sender->enqueue(
      caf::make_mailbox_element(caf::actor_cast<caf::strong_actor_ptr>(companion_),
                                message.mid.response_id(), {}, std::move(report)),
      nullptr);
}

net::request_id actor_port::ask(const caf::actor& whom, caf::message question, net::request_id id,
                                response_handler handler) {
  const auto mid = companion_ptr_->new_request_id(caf::message_priority::normal);
  questions_.emplace(mid.response_id().integer_value(), std::pair{id, std::move(handler)});
  // If `whom` has ended, CAF puts an error into our inbox instead of a response.
  caf::actor_cast<caf::abstract_actor*>(whom)->enqueue(
      caf::actor_cast<caf::strong_actor_ptr>(companion_), mid, std::move(question), nullptr);
  return id;
}

void actor_port::receive(caf::mailbox_element& message) {
  auto& content = message.content();
  if (message.mid.is_response()) {
    auto question = questions_.extract(message.mid.integer_value());
    if (question.empty()) return;  // cancelled
    ++completed_;
    question.mapped().second(content);
  } else if (content.match_elements<actors::append_outcomes>()) {
    receive_appends(content.get_mutable_as<actors::append_outcomes>(0));
  } else if (content.match_elements<actors::log_advanced>()) {
    log_grew(content.get_as<actors::log_advanced>(0).range);
  } else if (content.match_elements<actors::wait_alarm>()) {
    alarm(content.get_as<actors::wait_alarm>(0).generation);
  } else if (content.match_elements<actors::describe>()) {
    answer_describe(message);
  } else if (content.match_elements<caf::down_msg>()) {
    writer_down();
  }
}

void actor_port::poll() {
  polling_ = true;
  for (auto& message : inbox_->take())
    receive(*message);
  run_ready();
  polling_ = false;
  if (!ready_.empty()) inbox_->wake();
}

void actor_port::cancel(net::request_id id) {
  if (appends_.erase(id) > 0) return;
  std::erase_if(ready_, [&](const auto& entry) { return entry.first == id; });
  if (const auto read = reads_.find(id); read != reads_.end()) {
    stop_waiting(id, read->second);
    reads_.erase(read);
    return;
  }
  std::erase_if(questions_, [&](const auto& question) { return question.second.first == id; });
}

bool actor_port::serves(const std::string& log) const {
  return log == backend_.log_name();
}

actors::log_range actor_port::range() const {
  const auto& reader = *backend_.actors().reader();
  return {.lowest = reader.lowest_offset(), .next = reader.end_offset()};
}

}  // namespace cairn::apps
