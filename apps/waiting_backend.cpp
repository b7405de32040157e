#include "apps/waiting_backend.hpp"

#include "actors/actor_journal.hpp"
#include "actors/type_ids.hpp"
#include "apps/inspect_port.hpp"
#include "apps/port_failure.hpp"
#include "apps/port_inbox.hpp"

#include <caf/actor_companion.hpp>
#include <caf/send.hpp>
#include <deque>
#include <fmt/format.h>
#include <unordered_map>
#include <utility>

namespace cairn::apps {

namespace {

/// Answers everything at once, with the next poll, but what the InspectActor is asked.
class waiting_port : public net::backend_port {
public:
  waiting_port(waiting_backend& backend, std::string name, std::function<void()> wake)
      : backend_(backend),
        name_(std::move(name)),
        inbox_(std::make_shared<port_inbox>(wake)),
        wake_(std::move(wake)) {
    if (!backend.inspect()) return;
    companion_ = backend.system()->spawn<caf::actor_companion, caf::hidden>();
    companion_ptr_ =
        static_cast<caf::actor_companion*>(caf::actor_cast<caf::abstract_actor*>(companion_));
    companion_ptr_->on_enqueue(
        [inbox = inbox_](caf::mailbox_element_ptr message) { inbox->put(std::move(message)); });
    const auto& node = backend.node();
    caf::anon_send(node,
                   actors::actor_started{
                       .who = companion_, .kind = "gateway", .name = name_, .parent = node.id()});
  }
  ~waiting_port() override {
    inbox_->close();
    if (companion_ptr_ == nullptr) return;
    companion_ptr_->on_enqueue(nullptr);
    caf::anon_send(backend_.node(), actors::actor_stopped{companion_.id()});
  }
  waiting_port(const waiting_port&) = delete;
  waiting_port& operator=(const waiting_port&) = delete;

  net::request_id append(net::append_request, net::completion<net::append_receipt> done) override {
    return refuse(std::move(done));
  }
  net::request_id read(net::read_request, net::completion<net::read_reply> done) override {
    return refuse(std::move(done));
  }
  net::request_id describe_log(std::string, net::completion<net::log_description> done) override {
    return refuse(std::move(done));
  }
  net::request_id list_logs(net::completion<std::vector<net::log_description>> done) override {
    return refuse(std::move(done));
  }
  net::request_id inspect(v1::InspectRequest question, std::chrono::milliseconds deadline,
                          net::completion<net::inspect_answer> done) override {
    if (companion_ptr_ == nullptr) return refuse(std::move(done));
    const auto mid = companion_ptr_->new_request_id(caf::message_priority::normal);
    questions_.emplace(mid.response_id().integer_value(), std::pair{++last_id_, std::move(done)});
    caf::actor_cast<caf::abstract_actor*>(backend_.inspect())
        ->enqueue(caf::actor_cast<caf::strong_actor_ptr>(companion_), mid,
                  inspect_message(std::move(question), deadline), nullptr);
    return last_id_;
  }
  net::request_id change_cluster(net::cluster_change,
                                 net::completion<net::cluster_changed> done) override {
    return refuse(std::move(done));
  }

  void cancel(net::request_id id) override {
    std::erase_if(ready_, [&](const auto& one) { return one.first == id; });
    std::erase_if(questions_, [&](const auto& one) { return one.second.first == id; });
  }
  void flush() override {}
  void poll() override {
    polling_ = true;
    for (auto& message : inbox_->take())
      receive(*message);
    // One at a time is taken out: a completion may cancel another one. What they ask for meanwhile
    // comes with the next poll.
    for (auto left = ready_.size(); left > 0 && !ready_.empty(); --left) {
      auto completion = std::move(ready_.front().second);
      ready_.pop_front();
      completion();
    }
    polling_ = false;
    if (!ready_.empty()) wake_();
  }

private:
  void describe_to(caf::mailbox_element& message) {
    actors::actor_report report;
    report.id = companion_.id();
    report.kind = "gateway";
    report.name = name_;
    report.parent = backend_.node().id();
    report.mailbox = ready_.size();
    report.processed = last_id_;
    report.busy_ns = actors::thread_cpu_ns();
    report.state = fmt::format("the node is no member yet; {} questions open", questions_.size());
    message.sender->enqueue(
        caf::make_mailbox_element(caf::actor_cast<caf::strong_actor_ptr>(companion_),
                                  message.mid.response_id(), {}, std::move(report)),
        nullptr);
  }
  void receive(caf::mailbox_element& message) {
    if (message.content().match_elements<actors::describe>()) return describe_to(message);
    auto question = questions_.extract(message.mid.integer_value());
    if (!question.empty()) question.mapped().second(inspect_outcome(message.content()));
  }
  template <class T>
  net::request_id refuse(net::completion<T> done) {
    return later([this, done = std::move(done)] { done(backend_.why()); });
  }
  net::request_id later(std::function<void()> completion) {
    ready_.emplace_back(++last_id_, std::move(completion));
    if (ready_.size() == 1 && !polling_) wake_();
    return last_id_;
  }

  waiting_backend& backend_;
  std::string name_;
  std::shared_ptr<port_inbox> inbox_;
  std::function<void()> wake_;
  caf::actor companion_;
  caf::actor_companion* companion_ptr_ = nullptr;  // null: nobody answers operators
  std::unordered_map<std::uint64_t,
                     std::pair<net::request_id, net::completion<net::inspect_answer>>>
      questions_;
  std::deque<std::pair<net::request_id, std::function<void()>>> ready_;
  net::request_id last_id_ = 0;
  bool polling_ = false;
};

}  // namespace

waiting_backend::waiting_backend(net::member_info self, std::uint64_t max_record_bytes)
    : self_(std::move(self)), max_record_bytes_(max_record_bytes) {}

void waiting_backend::serve(caf::actor_system& system, caf::actor node, caf::actor inspect) {
  system_ = &system;
  node_ = std::move(node);
  inspect_ = std::move(inspect);
}

std::unique_ptr<net::backend_port> waiting_backend::open_port(std::function<void()> wake) {
  std::uint32_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = ports_++;
  }
  return std::make_unique<waiting_port>(*this, fmt::format("gateway-{}", number), std::move(wake));
}

std::vector<std::string> waiting_backend::unready_reasons() const {
  return {why().detail};
}

std::optional<std::uint64_t> waiting_backend::max_record_bytes(std::string_view log) const {
  if (log != "default") return std::nullopt;
  return max_record_bytes_;
}

std::optional<record_offset> waiting_backend::next_offset(std::string_view) const {
  return std::nullopt;
}

void waiting_backend::set_reason(std::string reason) {
  const std::lock_guard lock(mutex_);
  reason_ = std::move(reason);
}

net::failure waiting_backend::why() const {
  const std::lock_guard lock(mutex_);
  auto detail = "node " + self_.id + " is not a member of a cluster yet";
  if (!reason_.empty()) detail += ": " + reason_;
  return make_failure(errc::unavailable, std::move(detail));
}

}  // namespace cairn::apps
