#include "tests/support/fake_backend_state.hpp"

namespace cairn::test {

class fake_backend::port final : public net::backend_port {
public:
  port(std::shared_ptr<state> node, std::function<void()> wake) : node_(std::move(node)) {
    box_->wake = std::move(wake);
  }
  ~port() override {
    const std::lock_guard lock(node_->mutex);
    box_->closed = true;
    box_->arrived.clear();
  }
  port(const port&) = delete;
  port& operator=(const port&) = delete;

  request_id append(append_request request, completion<append_receipt> done) override {
    const std::lock_guard lock(node_->mutex);
    ++node_->appends;
    node_->last_append = request;
    const request_id id = ++last_id_;
    node_->submit(
        box_, id,
        [node = node_.get(), box = box_, id, request = std::move(request), done = std::move(done)] {
          box->post(id, [done, got = node->append(request)] { done(got); });
        });
    return id;
  }

  request_id read(read_request request, completion<read_reply> done) override {
    const std::lock_guard lock(node_->mutex);
    ++node_->reads;
    node_->last_read = request;
    const request_id id = ++last_id_;
    node_->submit(box_, id,
                  [node = node_.get(), box = box_, id, request = std::move(request),
                   done = std::move(done)]() mutable {
                    auto got = node->read(request);
                    const auto* reply = std::get_if<read_reply>(&got);
                    if (reply == nullptr || !reply->frames.empty() || request.wait.count() == 0) {
                      box->post(id, [done, got = std::move(got)] { done(got); });
                      return;
                    }
                    request.start = net::read_start::at_offset;  // "latest" means now
                    request.offset = reply->start;
                    const auto until = std::chrono::steady_clock::now() + request.wait;
                    node->waiting.push_back({box, id, request, done, until});
                    node->changed.notify_all();
                  });
    return id;
  }

  request_id describe_log(std::string log, completion<net::log_description> done) override {
    if (log != k_fake_log) return answer(outcome<net::log_description>(no_such_log(log)), done);
    return answer(outcome<net::log_description>(describe()), done);
  }
  request_id list_logs(completion<std::vector<net::log_description>> done) override {
    return answer(outcome<std::vector<net::log_description>>(std::vector{describe()}), done);
  }
  request_id inspect(v1::InspectRequest question, std::chrono::milliseconds deadline,
                     completion<net::inspect_answer> done) override {
    const std::lock_guard lock(node_->mutex);
    const request_id id = ++last_id_;
    node_->questions.push_back({question, deadline});
    auto got = node_->inspect ? node_->inspect(question) : node_->answer(question);
    if (got) box_->post(id, [done, got = *std::move(got)] { done(got); });
    node_->changed.notify_all();
    return id;
  }

  request_id change_cluster(net::cluster_change change,
                            completion<net::cluster_changed> done) override {
    outcome<net::cluster_changed> got = net::cluster_changed{
        .changed = change.node != node_->node_id,
        .leader =
            change.what == net::cluster_change::action::move_leader ? change.node : node_->node_id,
        .term = term_id(4)};
    {
      const std::lock_guard lock(node_->mutex);
      ++node_->changes;
      node_->last_change = std::move(change);
      if (node_->change_failure) got = *node_->change_failure;
    }
    return answer(std::move(got), done);
  }

  void cancel(request_id id) override {
    const std::lock_guard lock(node_->mutex);
    box_->cancelled.insert(id);
    std::erase_if(box_->arrived, [&](const auto& entry) { return entry.first == id; });
    std::erase_if(node_->waiting,
                  [&](const waiting_read& read) { return read.to == box_ && read.id == id; });
    ++node_->cancelled;
    node_->changed.notify_all();
  }

  void flush() override {}

  void poll() override {
    decltype(box_->arrived) now;
    {
      const std::lock_guard lock(node_->mutex);
      now.swap(box_->arrived);
    }
    while (!now.empty()) {
      const auto completion = std::move(now.front());
      now.pop_front();
      bool wanted = false;
      {
        const std::lock_guard lock(node_->mutex);
        wanted = !box_->cancelled.contains(completion.first);
      }
      if (wanted) completion.second();
    }
  }

private:
  template <class T>
  request_id answer(outcome<T> value, const completion<T>& done) {
    const std::lock_guard lock(node_->mutex);
    const request_id id = ++last_id_;
    box_->post(id, [done, value = std::move(value)] { done(value); });
    return id;
  }

  net::log_description describe() const {
    const std::lock_guard lock(node_->mutex);
    net::log_description log;
    log.log = k_fake_log;
    log.settings.max_record_bytes = node_->max_record_bytes;
    log.bounds = node_->bounds;
    log.term = term_id(3);
    log.leader = node_->node_id;
    log.segments.push_back({node_->bounds.lowest, node_->bounds.next, 4096, false});
    log.replicas.push_back({node_->node_id, "voter", "leader", node_->bounds.next, 0, true});
    return log;
  }

  std::shared_ptr<state> node_;
  std::shared_ptr<mailbox> box_ = std::make_shared<mailbox>();
  request_id last_id_ = 0;
};

std::unique_ptr<net::backend_port> fake_backend::open_port(std::function<void()> wake) {
  return std::make_unique<port>(state_, std::move(wake));
}

}  // namespace cairn::test
