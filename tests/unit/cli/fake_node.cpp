#include "tests/unit/cli/fake_node.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <charconv>
#include <fmt/format.h>

namespace cairn::testing {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The number behind `name=` in a target.
std::uint64_t parameter(std::string_view target, std::string_view name, std::uint64_t otherwise) {
  const auto at = target.find(fmt::format("{}=", name));
  return at == std::string_view::npos ? otherwise : number(target.substr(at + name.size() + 1));
}

std::string problem(unsigned status, std::string_view code, std::string_view facts) {
  return fmt::format(
      R"({{"type":"urn:cairn:problem:{0}","title":"{0}","status":{1},"detail":"as told","code":"{0}"{2}}})",
      code, status, facts);
}

}  // namespace

fake_node::fake_node(std::shared_ptr<content> log)
    : acceptor_(io_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      port_(acceptor_.local_endpoint().port()),
      log_(std::move(log)),
      thread_([this] { serve(); }) {}

fake_node::~fake_node() {
  stopping_ = true;
  // Wakes the acceptor.
  asio::io_context io;
  socket waker(io);
  error_code ignored;
  waker.connect({asio::ip::address_v4::loopback(), port_}, ignored);
  thread_.join();
}

std::string fake_node::url() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

void fake_node::add_fault(append_fault fault) {
  const std::lock_guard lock(mutex_);
  faults_.push_back(fault);
}

std::vector<std::string> fake_node::values() {
  const std::lock_guard lock(mutex_);
  return values_;
}

void fake_node::add_value(std::string value) {
  const std::lock_guard lock(mutex_);
  values_.push_back(std::move(value));
}

void fake_node::set_cluster(std::string document) {
  const std::lock_guard lock(mutex_);
  cluster_ = std::move(document);
}

void fake_node::set_change_answer(unsigned status, std::string body) {
  const std::lock_guard lock(mutex_);
  change_status_ = status;
  change_answer_ = std::move(body);
}

std::vector<std::string> fake_node::changes() {
  const std::lock_guard lock(mutex_);
  return changes_;
}

int fake_node::append_count() {
  const std::lock_guard lock(mutex_);
  return append_count_;
}

void fake_node::serve() {
  while (!stopping_) {
    error_code failure;
    socket client(io_);
    acceptor_.accept(client, failure);
    if (failure || stopping_) continue;
    ++connection_count_;
    serve_connection(client);
  }
}

void fake_node::serve_connection(socket& client) {
  boost::beast::flat_buffer buffer;
  while (!stopping_) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(std::uint64_t{64} << 20U);
    error_code failure;
    // Bytes are waited for in steps, so that the end of a test does not wait for a client.
    client.wait(socket::wait_read, failure);
    http::read(client, buffer, parser, failure);
    if (failure) return;
    response reply;
    reply.version(11);
    reply.keep_alive(true);
    if (!answer(parser.get(), reply)) return;
    reply.prepare_payload();
    http::write(client, reply, failure);
    if (failure || !reply.keep_alive()) return;
  }
}

bool fake_node::answer(const request& asked, response& reply) {
  const std::lock_guard lock(mutex_);
  reply.set("Cairn-Next-Offset", std::to_string(values_.size()));
  reply.set(http::field::content_type, "application/json");
  const std::string path(asked.target());
  if (asked.method() == http::verb::delete_ || path.find("/leader") != std::string::npos ||
      path.starts_with("/v1/cluster/members")) {
    changes_.push_back(
        fmt::format("{} {} {}", std::string(asked.method_string()), path, asked.body()));
    reply.result(change_status_);
    if (change_status_ >= 400) reply.set(http::field::content_type, "application/problem+json");
    reply.body() = change_answer_;
    return true;
  }
  if (asked.method() == http::verb::post) return answer_append(asked, reply);
  const std::string target(asked.target());
  if (target.find("/records") != std::string::npos) {
    answer_read(asked, reply);
  } else if (target == "/v1/logs/default") {
    reply.body() =
        fmt::format(R"({{"log":"default","lowest_offset":0,"next_offset":{}}})", values_.size());
  } else if (target == "/v1/cluster" && !cluster_.empty()) {
    reply.body() = cluster_;
  } else {
    reply.result(http::status::not_found);
    reply.set(http::field::content_type, "application/problem+json");
    reply.body() = problem(404, "not-found", "");
  }
  return true;
}

void fake_node::store(const std::string& body) {
  std::string_view rest = body;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    values_.emplace_back(rest.substr(0, end));
    rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
  }
}

namespace {

constexpr std::uint64_t k_remembered = 5;

std::string field_of(const http::request<http::string_body>& asked, const char* name) {
  const auto value = asked[name];
  return {value.data(), value.size()};
}

// "key K" or "producer P epoch E"; empty when the append has no identity.
std::string owner_of(const http::request<http::string_body>& asked) {
  const auto key = field_of(asked, "Idempotency-Key");
  if (!key.empty()) return "key " + key;
  const auto id = field_of(asked, "Cairn-Producer-Id");
  if (id.empty()) return {};
  return fmt::format("producer {} epoch {}", id, field_of(asked, "Cairn-Producer-Epoch"));
}

void refuse_identity(http::response<http::string_body>& reply, http::status status,
                     std::string_view code, std::string_view facts) {
  reply.result(status);
  reply.set(http::field::content_type, "application/problem+json");
  reply.body() = problem(static_cast<unsigned>(status), code, facts);
}

}  // namespace

bool fake_node::answer_known(const request& asked, response& reply) {
  const auto owner = owner_of(asked);
  if (owner.empty()) return false;
  const auto seq = field_of(asked, "Cairn-Producer-Seq");
  const auto found = log_->stored.find(owner + " seq " + seq);
  if (found != log_->stored.end()) {
    const auto& [body, offset, count] = found->second;
    if (body != asked.body()) {
      refuse_identity(reply, http::status::unprocessable_entity, "key-reused",
                      R"(,"outcome":"rejected")");
      return true;
    }
    reply.result(http::status::created);
    reply.set("Cairn-Replayed", "true");
    reply.body() = fmt::format(R"({{"log":"default","offset":{},"count":{}}})", offset, count);
    return true;
  }
  const auto next = log_->next_seqs[owner];
  if (seq.empty() || number(seq) == next) return false;
  const bool old = number(seq) < next;
  refuse_identity(
      reply, http::status::conflict, old ? "sequence-too-old" : "sequence-gap",
      fmt::format(R"(,"expected_seq":{},"outcome":"{}")", next, old ? "unknown" : "rejected"));
  return true;
}

void fake_node::remember(const request& asked, std::size_t offset) {
  const auto owner = owner_of(asked);
  if (owner.empty()) return;
  const auto seq = field_of(asked, "Cairn-Producer-Seq");
  log_->stored[owner + " seq " + seq] = {asked.body(), offset, values_.size() - offset};
  if (seq.empty()) return;
  log_->next_seqs[owner] = number(seq) + 1;
  if (number(seq) >= k_remembered) {
    log_->stored.erase(fmt::format("{} seq {}", owner, number(seq) - k_remembered));
  }
}

bool fake_node::answer_append(const request& asked, response& reply) {
  ++append_count_;
  auto fault = append_fault::none;
  if (!faults_.empty()) {
    fault = faults_.front();
    faults_.pop_front();
  }
  const auto refuse = [&](http::status status, std::string_view code, std::string_view facts) {
    reply.result(status);
    reply.set(http::field::content_type, "application/problem+json");
    reply.body() = problem(static_cast<unsigned>(status), code, facts);
    return true;
  };
  if (fault == append_fault::drop_before) return false;
  if (fault == append_fault::busy) {
    return refuse(http::status::service_unavailable, "overloaded",
                  R"(,"outcome":"rejected","retry_after_ms":1)");
  }
  if (fault == append_fault::unknown_not_stored) {
    return refuse(http::status::gateway_timeout, "outcome-unknown", R"(,"outcome":"unknown")");
  }
  if (fault == append_fault::too_large) {
    reply.keep_alive(false);
    return refuse(http::status::payload_too_large, "too-large", R"(,"outcome":"rejected")");
  }
  if (fault == append_fault::ahead) {
    return refuse(http::status::precondition_failed, "expected-offset-missed",
                  fmt::format(R"(,"next_offset":{})", values_.size() + 10));
  }
  if (fault == append_fault::other_writer || fault == append_fault::other_writer_drop) {
    values_.emplace_back("\"somebody else's\"");
    if (fault == append_fault::other_writer_drop) return false;
  }
  if (answer_known(asked, reply)) return true;
  const auto expected = asked.find("Cairn-Expected-Offset");
  if (expected != asked.end() &&
      number({expected->value().data(), expected->value().size()}) != values_.size()) {
    return refuse(http::status::precondition_failed, "expected-offset-missed",
                  fmt::format(R"(,"next_offset":{})", values_.size()));
  }
  const auto offset = values_.size();
  store(asked.body());
  remember(asked, offset);
  if (fault == append_fault::drop_after) return false;
  if (fault == append_fault::unknown_stored) {
    return refuse(http::status::gateway_timeout, "outcome-unknown", R"(,"outcome":"unknown")");
  }
  reply.result(http::status::created);
  reply.body() =
      fmt::format(R"({{"log":"default","offset":{},"count":{}}})", offset, values_.size() - offset);
  return true;
}

void fake_node::answer_read(const request& asked, response& reply) {
  const std::string target(asked.target());
  const std::string_view accept(asked["Accept"].data(), asked["Accept"].size());
  const bool stream = accept == "text/event-stream";
  const auto from = target.find("from=earliest") != std::string::npos ? 0
                    : target.find("from=latest") != std::string::npos
                        ? values_.size()
                        : parameter(target, "from", 0);
  if (from > values_.size()) {
    reply.result(http::status::not_found);
    reply.set(http::field::content_type, "application/problem+json");
    reply.body() = problem(404, "offset-not-written",
                           fmt::format(R"(,"lowest_offset":0,"next_offset":{})", values_.size()));
    return;
  }
  if (!has_leader_ && target.find("consistency=linearizable") != std::string::npos) {
    reply.result(http::status::service_unavailable);
    reply.set(http::field::content_type, "application/problem+json");
    reply.body() = problem(503, "unavailable", "");
    return;
  }
  const auto limit = stream ? stream_count_.load() : parameter(target, "limit", 100);
  for (auto i = from; i < values_.size() && i - from < limit; ++i) {
    // The order of fields is not what a client may rely on.
    const auto object = fmt::format(R"({{"timestamp":"t","value":{},"offset":{}}})", values_[i], i);
    reply.body() += stream ? fmt::format(":\nid: {}\ndata: {}\n\n", i, object) : object + "\n";
  }
  reply.set(http::field::content_type, std::string(accept));
  if (stream) reply.keep_alive(false);
}

}  // namespace cairn::testing
