#include "apps/waiting_backend.hpp"

#include "apps/port_failure.hpp"

#include <deque>
#include <utility>

namespace cairn::apps {

namespace {

/// Answers everything at once, with the next poll.
class waiting_port : public net::backend_port {
public:
  waiting_port(waiting_backend& backend, std::function<void()> wake)
      : backend_(backend), wake_(std::move(wake)) {}

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
  net::request_id describe_cluster(net::completion<net::cluster_description> done) override {
    return later([this, done = std::move(done)] { done(backend_.cluster()); });
  }
  net::request_id describe_actors(
      std::uint64_t, net::completion<std::vector<net::actor_description>> done) override {
    return refuse(std::move(done));
  }
  net::request_id change_cluster(net::cluster_change,
                                 net::completion<net::cluster_changed> done) override {
    return refuse(std::move(done));
  }

  void cancel(net::request_id id) override {
    std::erase_if(ready_, [&](const auto& one) { return one.first == id; });
  }
  void flush() override {}
  void poll() override {
    polling_ = true;
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
  std::function<void()> wake_;
  std::deque<std::pair<net::request_id, std::function<void()>>> ready_;
  net::request_id last_id_ = 0;
  bool polling_ = false;
};

}  // namespace

waiting_backend::waiting_backend(net::member_info self, std::uint64_t max_record_bytes)
    : self_(std::move(self)), max_record_bytes_(max_record_bytes) {}

std::unique_ptr<net::backend_port> waiting_backend::open_port(std::function<void()> wake) {
  return std::make_unique<waiting_port>(*this, std::move(wake));
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

net::cluster_description waiting_backend::cluster() const {
  return {.cluster_id = {}, .node = self_.id, .members = {self_}};
}

}  // namespace cairn::apps
