// The NATS text protocol: publishes with a reply inbox of our own, so that JetStream's
// acknowledgement comes back; reads through a pull consumer of each connection's own.

#include "bench/compare/wire.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <unistd.h>

namespace cairn::bench {

namespace {

/// One message of the protocol: `words` of the control line, and the payload of MSG and HMSG.
struct nats_message {
  std::array<std::string_view, 6> words;
  std::size_t word_count = 0;
  std::string_view payload;  ///< behind the headers
  std::string_view headers;
  std::size_t whole_bytes = 0;  ///< 0: not all of it is here yet
};

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

nats_message parse(std::string_view in) {
  nats_message message;
  const auto end = in.find("\r\n");
  if (end == std::string_view::npos) return message;
  const auto line = in.substr(0, end);
  for (std::size_t at = 0; at < line.size() && message.word_count < message.words.size();) {
    const auto blank = line.find(' ', at);
    const auto word = line.substr(at, blank == std::string_view::npos ? blank : blank - at);
    if (!word.empty()) message.words[message.word_count++] = word;
    at = blank == std::string_view::npos ? line.size() : blank + 1;
  }
  const bool with_headers = message.words[0] == "HMSG";
  if (message.words[0] != "MSG" && !with_headers) {
    message.whole_bytes = end + 2;
    return message;
  }
  const auto total = number(message.words[message.word_count - 1]);
  if (in.size() < end + 2 + total + 2) return message;
  const auto head = with_headers ? number(message.words[message.word_count - 2]) : 0;
  message.headers = in.substr(end + 2, head);
  message.payload = in.substr(end + 2 + head, total - head);
  message.whole_bytes = end + 2 + total + 2;
  return message;
}

class nats_wire : public wire {
public:
  explicit nats_wire(std::uint32_t index) : inbox_(fmt::format("_INBOX.{}.{}", getpid(), index)) {}

  void greet(std::string& out) override {
    fmt::format_to(
        std::back_inserter(out),
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,"
        "\"lang\":\"c++\",\"version\":\"1\",\"protocol\":1}}\r\nSUB {} 1\r\n{}PING\r\n",
        inbox_, opening());
  }
  [[nodiscard]] bool ready() const override { return ready_; }

  result<heard> hear(std::string_view in, std::string& out) override {
    heard all;
    for (;;) {
      const auto message = parse(in.substr(all.used_bytes));
      if (message.whole_bytes == 0) return all;
      all.used_bytes += message.whole_bytes;
      const auto verb = message.words[0];
      if (verb == "MSG" || verb == "HMSG") {
        take(message, all);
      } else if (verb == "PING") {
        out += "PONG\r\n";
      } else if (verb == "PONG") {
        ready_ = ready_ || !waits_for_opening();
      } else if (verb == "-ERR") {
        return error{errc::unavailable, fmt::format("NATS: {}", in.substr(0, 200))};
      }
    }
  }

protected:
  /// What is said besides CONNECT and SUB.
  virtual std::string opening() { return {}; }
  [[nodiscard]] virtual bool waits_for_opening() const { return false; }
  virtual void take(const nats_message& message, heard& all) = 0;

  [[nodiscard]] const std::string& inbox() const { return inbox_; }
  void set_ready() { ready_ = true; }

  static void refuse(std::string_view text, heard& all) {
    ++all.answers;
    ++all.refusals;
    all.refusal = text;
  }

private:
  std::string inbox_;
  bool ready_ = false;
};

class nats_append : public nats_wire {
public:
  nats_append(const work_plan& plan, std::uint32_t index) : nats_wire(index) {
    const auto record = record_of(plan.record_bytes);
    request_ =
        fmt::format("PUB {}.records {} {}\r\n{}\r\n", plan.name, inbox(), record.size(), record);
  }
  void ask(std::string& out) override { out += request_; }

protected:
  void take(const nats_message& message, heard& all) override {
    if (!message.headers.empty()) return refuse(message.headers, all);  // 503: nobody there
    if (message.payload.find("\"error\"") != std::string_view::npos) {
      return refuse(message.payload, all);
    }
    ++all.answers;
    ++all.records;
  }

private:
  std::string request_;
};

/// A consumer in memory, without acknowledgements; a request asks for one page.
class nats_read : public nats_wire {
public:
  nats_read(const work_plan& plan, std::uint32_t index, std::uint32_t count)
      : nats_wire(index),
        plan_(plan),
        consumer_(fmt::format("load-{}-{}", getpid(), index)),
        share_(share_of(plan, index, count)) {}

  void ask(std::string& out) override {
    page_left_ = std::min<std::uint64_t>(plan_.records_a_request, share_.end - share_.from);
    const auto body = fmt::format(R"({{"batch":{},"expires":5000000000}})", page_left_);
    fmt::format_to(std::back_inserter(out), "PUB $JS.API.CONSUMER.MSG.NEXT.{}.{} {} {}\r\n{}\r\n",
                   plan_.name, consumer_, inbox(), body.size(), body);
  }
  [[nodiscard]] bool finished() const override { return share_.from >= share_.end; }

protected:
  std::string opening() override {
    const auto body = fmt::format(
        R"({{"stream_name":"{}","config":{{"name":"{}","deliver_policy":"by_start_sequence","opt_start_seq":{},)"
        R"("ack_policy":"none","mem_storage":true,"num_replicas":1,"inactive_threshold":60000000000}}}})",
        plan_.name, consumer_, share_.from + 1);
    return fmt::format("PUB $JS.API.CONSUMER.CREATE.{}.{} {} {}\r\n{}\r\n", plan_.name, consumer_,
                       inbox(), body.size(), body);
  }
  [[nodiscard]] bool waits_for_opening() const override { return true; }

  void take(const nats_message& message, heard& all) override {
    if (!ready()) {
      if (message.payload.find("\"error\"") != std::string_view::npos)
        return refuse(message.payload, all);
      return set_ready();
    }
    if (message.payload.empty() && !message.headers.empty()) {
      // 404: there is no more. Any other status ends the page alone: 503 is a consumer that has
      // just been made and has no leader yet, 408 a page that took too long.
      if (message.headers.find(" 404") != std::string_view::npos) share_.from = share_.end;
      ++all.answers;
      return;
    }
    ++all.records;
    ++share_.from;
    if (--page_left_ == 0) ++all.answers;
  }

private:
  work_plan plan_;
  std::string consumer_;
  read_share share_;
  std::uint64_t page_left_ = 0;
};

}  // namespace

std::unique_ptr<wire> make_nats_wire(const work_plan& plan, std::uint32_t index,
                                     std::uint32_t count) {
  if (plan.work == work_kind::read) return std::make_unique<nats_read>(plan, index, count);
  return std::make_unique<nats_append>(plan, index);
}

}  // namespace cairn::bench
