// HTTP/1.1 with keep-alive, one request at a time: Cairn's API and etcd's JSON gateway.

#include "bench/compare/http_answer.hpp"
#include "bench/compare/wire.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace cairn::bench {

namespace {

constexpr std::uint64_t k_read_bytes_max = 16 * 1024 * 1024;
constexpr char k_base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) {
      return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U;
    };
    const auto word = at(0) << 16 | at(1) << 8 | at(2);
    text += k_base64[word >> 18 & 63];
    text += k_base64[word >> 12 & 63];
    text += i + 1 < bytes.size() ? k_base64[word >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? k_base64[word & 63] : '=';
  }
  return text;
}

/// Keys sort as the numbers do, and are 12 bytes long: 16 characters in base64.
std::string key_of(std::uint64_t number) {
  return base64(fmt::format("k{:011}", number));
}

std::string post(std::string_view path, std::string_view content_type, std::string_view body) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}",
      path, content_type, body.size(), body);
}

/// What both HTTP peers have in common: an answer is a whole HTTP response.
class http_wire : public wire {
public:
  void greet(std::string&) override {}
  [[nodiscard]] bool ready() const override { return true; }

  result<heard> hear(std::string_view in, std::string&) override {
    heard all;
    auto used = answer_.take(in);
    if (!used) return used.error();
    all.used_bytes = *used;
    if (!answer_.complete()) return all;
    all.answers = 1;
    if (answer_.code() / 100 == 2) {
      all.records = records_in(answer_.body());
    } else {
      all.refusals = 1;
      all.refusal = answer_.body();
    }
    return all;
  }

protected:
  /// Records that a good answer speaks of.
  virtual std::uint64_t records_in(std::string_view body) = 0;

private:
  http_answer answer_;
};

class cairn_append : public http_wire {
public:
  explicit cairn_append(const work_plan& plan) : records_(plan.records_a_request) {
    const auto path = fmt::format("/v1/logs/{}/records", plan.name);
    const auto record = record_of(plan.record_bytes);
    if (plan.work == work_kind::append) {
      request_ = post(path, "application/json", record);
      return;
    }
    std::string lines;
    for (std::uint32_t i = 0; i < records_; ++i)
      lines += record + '\n';
    request_ = post(path, "application/x-ndjson", lines);
  }
  void ask(std::string& out) override { out += request_; }

protected:
  std::uint64_t records_in(std::string_view) override { return records_; }

private:
  std::string request_;
  std::uint32_t records_;
};

/// Goes through a piece of the log page by page.
class pages {
public:
  pages(const work_plan& plan, std::uint32_t index, std::uint32_t count)
      : share_(share_of(plan, index, count)), size_(plan.records_a_request) {}
  [[nodiscard]] std::uint64_t from() const { return share_.from; }
  [[nodiscard]] std::uint64_t size() const {
    return std::min<std::uint64_t>(size_, share_.end - share_.from);
  }
  [[nodiscard]] bool finished() const { return share_.from >= share_.end; }
  /// A page without a record is the end, too: the log is shorter than was said.
  void read(std::uint64_t records) {
    share_.from = records == 0 ? share_.end : share_.from + records;
  }

private:
  read_share share_;
  std::uint32_t size_;
};

class cairn_read : public http_wire {
public:
  cairn_read(const work_plan& plan, std::uint32_t index, std::uint32_t count)
      : name_(plan.name), pages_(plan, index, count) {}
  void ask(std::string& out) override {
    fmt::format_to(std::back_inserter(out),
                   "GET /v1/logs/{}/records?from={}&limit={}&max_bytes={} HTTP/1.1\r\n"
                   "Host: 127.0.0.1\r\nAccept: application/x-ndjson\r\n\r\n",
                   name_, pages_.from(), pages_.size(), k_read_bytes_max);
  }
  [[nodiscard]] bool finished() const override { return pages_.finished(); }

protected:
  std::uint64_t records_in(std::string_view body) override {
    const auto lines = static_cast<std::uint64_t>(std::count(body.begin(), body.end(), '\n'));
    pages_.read(lines);
    return lines;
  }

private:
  std::string name_;
  pages pages_;
};

/// One put a record, or transactions of puts. Every record has a key of its own.
class etcd_append : public http_wire {
public:
  etcd_append(const work_plan& plan, shared_state& shared)
      : shared_(shared), records_(plan.records_a_request) {
    const auto value = base64(record_of(plan.record_bytes));
    const auto put = fmt::format(R"({{"key":"{}","value":"{}"}})", key_of(0), value);
    if (plan.work == work_kind::append) {
      request_ = post("/v3/kv/put", "application/json", put);
    } else {
      std::string puts;
      for (std::uint32_t i = 0; i < records_; ++i)
        puts += fmt::format(R"({}{{"requestPut":{}}})", i == 0 ? "" : ",", put);
      request_ = post("/v3/kv/txn", "application/json", R"({"success":[)" + puts + "]}");
    }
    for (auto at = request_.find(k_before_key); at != std::string::npos;
         at = request_.find(k_before_key, at + 1)) {
      keys_at_.push_back(at + k_before_key.size());
    }
  }

  void ask(std::string& out) override {
    for (auto at : keys_at_) {
      const auto key = key_of(shared_.next_key++);
      request_.replace(at, key.size(), key);
    }
    out += request_;
  }

protected:
  std::uint64_t records_in(std::string_view) override { return records_; }

private:
  static constexpr std::string_view k_before_key = R"("key":")";

  shared_state& shared_;
  std::uint32_t records_;
  std::string request_;
  std::vector<std::size_t> keys_at_;
};

class etcd_read : public http_wire {
public:
  etcd_read(const work_plan& plan, std::uint32_t index, std::uint32_t count)
      : pages_(plan, index, count) {}
  void ask(std::string& out) override {
    // `serializable`: from the node that is asked, as Cairn's reads are.
    out += post("/v3/kv/range", "application/json",
                fmt::format(R"({{"key":"{}","range_end":"{}","limit":"{}","serializable":true}})",
                            key_of(pages_.from()), base64("l"), pages_.size()));
  }
  [[nodiscard]] bool finished() const override { return pages_.finished(); }

protected:
  std::uint64_t records_in(std::string_view body) override {
    constexpr std::string_view k_once_a_record = R"("create_revision")";
    std::uint64_t records = 0;
    for (auto at = body.find(k_once_a_record); at != std::string_view::npos;
         at = body.find(k_once_a_record, at + k_once_a_record.size())) {
      ++records;
    }
    pages_.read(records);
    return records;
  }

private:
  pages pages_;
};

}  // namespace

std::string record_of(std::uint32_t bytes) {
  return '"' + std::string(bytes > 2 ? bytes - 2 : 0, 'x') + '"';
}

std::unique_ptr<wire> make_http_wire(const work_plan& plan, shared_state& shared,
                                     std::uint32_t index, std::uint32_t count) {
  const bool reads = plan.work == work_kind::read;
  if (plan.peer == peer_kind::etcd) {
    if (reads) return std::make_unique<etcd_read>(plan, index, count);
    return std::make_unique<etcd_append>(plan, shared);
  }
  if (reads) return std::make_unique<cairn_read>(plan, index, count);
  return std::make_unique<cairn_append>(plan);
}

}  // namespace cairn::bench
