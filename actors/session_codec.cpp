// A session_table as bytes: docs/formats/sessions.md.

#include "actors/session_table.hpp"
#include "storage/base/check.hpp"
#include "storage/base/checksum.hpp"

#include <cstring>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

constexpr std::uint64_t k_magic = 0x534553'4e52494143;  // "CAIRNSES"
constexpr std::uint32_t k_version = 1;
constexpr std::size_t k_receipt_bytes = 44;
constexpr std::size_t k_head_bytes = 32;
constexpr std::size_t k_key_bytes = sizeof(hash128) + k_receipt_bytes;
constexpr std::size_t k_producer_bytes = sizeof(hash128) + 20;
constexpr std::size_t k_numbered_bytes = 8 + k_receipt_bytes;
constexpr std::size_t k_checksum_bytes = 8;

constexpr session_limits k_usual{};
static_assert(k_head_bytes + k_usual.keys_max * k_key_bytes +
                      k_usual.producers_max *
                          (k_producer_bytes + k_usual.receipts_max * k_numbered_bytes) +
                      k_checksum_bytes <=
                  k_session_bytes_max,
              "a full table must fit a snapshot");

class byte_writer {
public:
  explicit byte_writer(std::size_t size_bytes)
      : owner_(std::make_shared_for_overwrite<std::byte[]>(size_bytes)), size_(size_bytes) {}

  template <class T>
  void put(T value) {
    CAIRN_CHECK(size_ - at_ >= sizeof(T), "a table is larger than was thought");
    store_le(owner_.get() + at_, value);
    at_ += sizeof(T);
  }
  void put(const hash128& hash) {
    CAIRN_CHECK(size_ - at_ >= hash.size(), "a table is larger than was thought");
    std::memcpy(owner_.get() + at_, hash.data(), hash.size());
    at_ += hash.size();
  }
  void put(const session_receipt& r) {
    put(r.body_hash);
    put(r.offset.value());
    put(r.count);
    put(r.timestamp_ms);
    put(r.term.value());
    put(r.index.value());
  }
  [[nodiscard]] byte_span written() const { return {owner_.get(), at_}; }
  [[nodiscard]] shared_bytes finish() {
    CAIRN_CHECK(at_ == size_, "a table is smaller than was thought");
    const byte_span view(owner_.get(), size_);
    return {std::move(owner_), view};
  }

private:
  std::shared_ptr<std::byte[]> owner_;
  std::size_t size_;
  std::size_t at_ = 0;
};

// The caller looks at left() first.
class byte_reader {
public:
  explicit byte_reader(byte_span bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }
  template <class T>
  T get() {
    CAIRN_CHECK(left() >= sizeof(T), "read beyond the end");
    const T value = load_le<T>(bytes_.data() + at_);
    at_ += sizeof(T);
    return value;
  }
  hash128 hash() {
    CAIRN_CHECK(left() >= sizeof(hash128), "read beyond the end");
    hash128 out;
    std::memcpy(out.data(), bytes_.data() + at_, out.size());
    at_ += out.size();
    return out;
  }
  session_receipt receipt() {
    session_receipt r;
    r.body_hash = get<std::uint64_t>();
    r.offset = record_offset(get<std::uint64_t>());
    r.count = get<std::uint32_t>();
    r.timestamp_ms = get<unix_ms>();
    r.term = term_id(get<std::uint64_t>());
    r.index = log_index(get<std::uint64_t>());
    return r;
  }

private:
  byte_span bytes_;
  std::size_t at_ = 0;
};

error bad(std::string_view why) {
  return {errc::corruption, fmt::format("state of the sessions: {}", why)};
}

}  // namespace

shared_bytes session_table::serialize() const {
  std::size_t receipts = 0;
  for (const producer& p : producers_)
    receipts += p.receipts.size();
  byte_writer out(k_head_bytes + keys_.size() * k_key_bytes + producers_.size() * k_producer_bytes +
                  receipts * k_numbered_bytes + k_checksum_bytes);
  out.put(k_magic);
  out.put(k_version);
  out.put(std::uint32_t{0});
  out.put(applied_.value());
  out.put(static_cast<std::uint32_t>(keys_.size()));
  out.put(static_cast<std::uint32_t>(producers_.size()));
  for (const key_entry& entry : keys_) {
    out.put(entry.key);
    out.put(entry.receipt);
  }
  for (const producer& p : producers_) {
    out.put(p.id);
    out.put(p.epoch);
    out.put(p.last_seq);
    out.put(static_cast<std::uint32_t>(p.receipts.size()));
    for (const auto& [seq, receipt] : p.receipts) {
      out.put(seq);
      out.put(receipt);
    }
  }
  out.put(checksum64(out.written()));
  return out.finish();
}

result<session_table> session_table::parse(byte_span bytes, const session_limits& limits) {
  if (bytes.size() < k_head_bytes + k_checksum_bytes) return bad("cut short");
  const byte_span body = bytes.first(bytes.size() - k_checksum_bytes);
  if (load_le<std::uint64_t>(bytes.data() + body.size()) != checksum64(body)) {
    return bad("the checksum does not match");
  }
  byte_reader in(body);
  if (in.get<std::uint64_t>() != k_magic) return bad("no such state");
  const auto version = in.get<std::uint32_t>();
  if (version != k_version) return bad(fmt::format("version {} is not known", version));
  if (in.get<std::uint32_t>() != 0) return bad("unknown flags");
  session_table table(limits);
  table.applied_ = log_index(in.get<std::uint64_t>());
  const auto keys = in.get<std::uint32_t>();
  const auto producers = in.get<std::uint32_t>();
  if (keys > limits.keys_max || producers > limits.producers_max) return bad("impossible sizes");
  const auto acceptable = [&table](const session_receipt& r) {
    return r.index <= table.applied_ && r.count > 0;
  };
  for (std::uint32_t i = 0; i < keys; ++i) {
    if (in.left() < k_key_bytes) return bad("impossible sizes");
    const hash128 key = in.hash();
    const session_receipt receipt = in.receipt();
    const bool ordered = table.keys_.empty() || table.keys_.back().receipt.index <= receipt.index;
    if (!acceptable(receipt) || !ordered || table.key_numbers_.contains(key)) {
      return bad("keys that cannot be");
    }
    table.add_key({key, receipt});
  }
  for (std::uint32_t i = 0; i < producers; ++i) {
    if (in.left() < k_producer_bytes) return bad("impossible sizes");
    producer p;
    p.id = in.hash();
    p.epoch = in.get<std::uint64_t>();
    p.last_seq = in.get<std::uint64_t>();
    const auto count = in.get<std::uint32_t>();
    if (count == 0 || count > limits.receipts_max || in.left() < count * k_numbered_bytes) {
      return bad("impossible sizes");
    }
    for (std::uint32_t j = 0; j < count; ++j) {
      const auto seq = in.get<std::uint64_t>();
      const session_receipt receipt = in.receipt();
      if (!acceptable(receipt) || (j > 0 && p.receipts.back().seq >= seq)) {
        return bad("receipts that cannot be");
      }
      p.receipts.push_back({seq, receipt});
    }
    if (p.receipts.back().seq != p.last_seq || table.by_id_.contains(p.id)) {
      return bad("producers that cannot be");
    }
    table.producers_.push_back(std::move(p));
    table.by_id_.emplace(table.producers_.back().id, std::prev(table.producers_.end()));
  }
  if (in.left() != 0) return bad("bytes behind the last producer");
  return table;
}

}  // namespace cairn::actors
