#include "net/server/worker.hpp"

#include "net/server/session.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <ctime>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::size_t k_handlers_per_round = 256;  // then the port is flushed and answers go out

/// Fine enough for the smallest deadline, rare enough to cost nothing.
std::chrono::milliseconds tick_period(const gateway_limits& limits) {
  const auto shortest = std::min({limits.header, limits.body, limits.idle, limits.write,
                                  limits.overflow, limits.linger, limits.backend_grace});
  return std::clamp(shortest / 4, std::chrono::milliseconds(5), std::chrono::milliseconds(250));
}

std::string date_line(std::time_t now) {
  constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("Date: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\n",
                     days.at(static_cast<std::size_t>(utc.tm_wday)), utc.tm_mday,
                     months.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

worker::worker(gateway_shared& shared, std::uint64_t seed)
    : shared_(shared),
      // Only this thread touches sockets; other threads only post.
      io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      ticker_(io_),
      tick_every_(tick_period(shared.config.limits)),
      metrics_(shared.metrics) {
  port_ = shared.node.open_port([this] {
    // One post for many completions: the flag falls before they are run.
    if (!woken_.exchange(true, std::memory_order_acq_rel)) {
      boost::asio::post(io_, [this] {
        woken_.store(false, std::memory_order_release);
        port_->poll();
      });
    }
  });
  context_.node = &shared.node;
  context_.port = port_.get();
  context_.limits = &shared.config.limits;
  context_.registry = shared.config.registry.get();
  context_.span_seed = seed;
  context_.flush_metrics = [this] {
    metrics_.flush(sessions_.size(), exchanges_.size() - free_exchanges_.size());
  };
  refresh_clock();
}

worker::~worker() = default;

void worker::refresh_clock() {
  context_.now = std::chrono::steady_clock::now();
  const std::time_t wall = std::time(nullptr);
  if (wall == date_second_) return;
  date_second_ = wall;
  context_.common_lines =
      fmt::format("Cairn-Node: {}\r\n{}", shared_.node.node_id(), date_line(wall));
}

void worker::run() {
  const auto stay = boost::asio::make_work_guard(io_);
  while (!stopped_.load(std::memory_order_acquire))
    run_round();
  for (std::size_t i = sessions_.size(); i-- > 0;)
    sessions_[i]->abort();
  dirty_.clear();
  context_.flush_metrics();
}

void worker::run_round() {
  round_over_ = false;
  if (io_.run_one() == 0) return;
  refresh_clock();
  for (std::size_t i = 1; i < k_handlers_per_round && !round_over_ && io_.poll_one() != 0; ++i) {
  }
  // Requests that came together travel together; so do the answers of one connection.
  port_->flush();
  write_dirty();
}

void worker::write_dirty() {
  // Writing can make streams put out more, which marks their sessions again: those are written in
  // the next round, so that one fast reader does not hold up the others.
  writing_.swap(dirty_);
  for (const auto& s : writing_)
    s->flush_output();
  writing_.clear();
  if (!dirty_.empty()) boost::asio::post(io_, [] {});
  // A stream may have asked the node for more.
  port_->flush();
  if (when_idle_ && sessions_.empty()) std::exchange(when_idle_, nullptr)();
}

void worker::mark_dirty(session& s) {
  if (s.set_dirty()) dirty_.emplace_back(&s);
}

void worker::adopt(int descriptor, bool overflow) {
  arriving_.fetch_add(1, std::memory_order_relaxed);
  boost::asio::post(io_, [this, descriptor, overflow] { add(descriptor, overflow); });
}

void worker::add(int descriptor, bool overflow) {
  arriving_.fetch_sub(1, std::memory_order_relaxed);
  end_round();
  boost::intrusive_ptr<session> s(new session(*this, overflow));
  s->set_place(sessions_.size());
  sessions_.push_back(s);
  metrics_.count_connection();
  s->start(descriptor);
  if (context_.draining) s->drain();
  if (!ticking_) arm_tick();
}

void worker::forget(session& s) {
  const std::size_t place = s.place();
  CAIRN_CHECK(place < sessions_.size() && sessions_[place].get() == &s, "unknown session {}",
              place);
  if (place + 1 != sessions_.size()) {
    sessions_[place] = std::move(sessions_.back());
    sessions_[place]->set_place(place);
  }
  sessions_.pop_back();
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
}

void worker::arm_tick() {
  ticking_ = true;
  ticker_.expires_after(tick_every_);
  ticker_.async_wait([this](const boost::system::error_code& ec) {
    ticking_ = false;
    if (!ec) tick();
  });
}

void worker::tick() {
  refresh_clock();
  // From the back: a session that closes puts the last one in its place.
  for (std::size_t i = sessions_.size(); i-- > 0;) {
    const boost::intrusive_ptr<session> s = sessions_[i];
    s->check_deadlines(context_.now);
  }
  context_.flush_metrics();
  if (!sessions_.empty()) arm_tick();
}

void worker::drain(std::function<void()> idle) {
  boost::asio::post(io_, [this, idle = std::move(idle)]() mutable {
    context_.draining = true;
    when_idle_ = std::move(idle);
    for (std::size_t i = sessions_.size(); i-- > 0;) {
      const boost::intrusive_ptr<session> s = sessions_[i];
      s->drain();
    }
  });
}

void worker::stop() {
  stopped_.store(true, std::memory_order_release);
  boost::asio::post(io_, [] {});
}

exchange* worker::take_exchange() {
  if (free_exchanges_.empty()) {
    exchanges_.push_back(std::make_unique<exchange>());
    return exchanges_.back().get();
  }
  exchange* const taken = free_exchanges_.back();
  free_exchanges_.pop_back();
  return taken;
}

void worker::give_back(exchange* used) {
  used->release();
  free_exchanges_.push_back(used);
}

}  // namespace cairn::net
