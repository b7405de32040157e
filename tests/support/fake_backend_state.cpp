#include "tests/support/fake_backend_state.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::test {

namespace {

constexpr std::chrono::seconds k_patience{10};
constexpr std::size_t k_known_appends_max = 5;

outcome<append_receipt> again(const known_append& known, const proto::append_stamp& stamp) {
  if (known.body_hash != stamp.body_hash) {
    return failure{.code = errc::key_reused, .detail = "it belongs to another body"};
  }
  auto receipt = known.receipt;
  receipt.replayed = true;
  return receipt;
}

}  // namespace

failure no_such_log(const std::string& log) {
  return {.code = errc::not_found, .detail = fmt::format("there is no log '{}'", log)};
}

append_receipt fake_backend::state::store(net::encoded_batch batch) {
  const record_offset offset = bounds.next;
  frames.push_back({offset, batch.record_count,
                    k_first_timestamp_ms + static_cast<unix_ms>(offset.value()), term_id(3),
                    log_index(frames.size() + 1), batch.payload});
  bounds.next = offset.plus(batch.record_count);
  answer_waiting(std::chrono::steady_clock::now());
  const record_frame& frame = frames.back();
  return {offset, frame.record_count, frame.timestamp_ms, frame.term, frame.index, 1, 1};
}

outcome<append_receipt> fake_backend::state::append(append_request request) {
  if (append_failure) return *append_failure;
  if (request.log != k_fake_log) return no_such_log(request.log);
  std::optional<proto::append_stamp> stamp;
  if (auto rest = request.batch.payload.span(); proto::is_stamped(rest)) {
    auto read = proto::next_stamp(rest);
    CAIRN_CHECK(read.ok() && rest.empty(), "the gateway made a bad stamp");
    stamp = *read;
    if (auto decided = judge(*stamp)) return std::move(*decided);
  }
  if (request.expected_offset && *request.expected_offset != bounds.next) {
    return failure{.code = errc::expected_offset_missed,
                   .detail = "the next offset is another one",
                   .bounds = bounds};
  }
  const auto receipt = store(std::move(request.batch));
  if (stamp) remember(*stamp, receipt);
  return receipt;
}

std::optional<outcome<append_receipt>> fake_backend::state::judge(
    const proto::append_stamp& stamp) {
  const auto& who = stamp.identity;
  if (!who.producer) {
    const auto known = keys.find(who.hash);
    if (known == keys.end()) return std::nullopt;
    return again(known->second, stamp);
  }
  auto& producer = producers[who.hash];
  if (who.epoch < producer.epoch) {
    return failure{.code = errc::producer_fenced, .detail = "a newer epoch has begun"};
  }
  if (who.epoch > producer.epoch) producer = {.epoch = who.epoch, .next_seq = 0, .appends = {}};
  if (const auto known = producer.appends.find(who.seq); known != producer.appends.end()) {
    return again(known->second, stamp);
  }
  if (who.seq < producer.next_seq) {
    return failure{.code = errc::sequence_too_old,
                   .detail = "it was stored, where is no longer known",
                   .expected_seq = producer.next_seq};
  }
  const bool begins = producer.next_seq == 0 && who.seq <= 1;
  if (who.seq == producer.next_seq || begins) return std::nullopt;
  return failure{.code = errc::sequence_gap,
                 .detail = "an append is missing before this one",
                 .expected_seq = producer.next_seq};
}

void fake_backend::state::remember(const proto::append_stamp& stamp,
                                   const append_receipt& receipt) {
  const auto& who = stamp.identity;
  if (!who.producer) {
    keys[who.hash] = {stamp.body_hash, receipt};
    return;
  }
  auto& producer = producers[who.hash];
  producer.next_seq = who.seq + 1;
  producer.appends[who.seq] = {stamp.body_hash, receipt};
  if (producer.appends.size() > k_known_appends_max) {
    producer.appends.erase(producer.appends.begin());
  }
}

outcome<record_offset> fake_backend::state::start_of(const read_request& request) const {
  switch (request.start) {
    case net::read_start::earliest:
      return bounds.lowest;
    case net::read_start::latest:
      return bounds.next;
    case net::read_start::at_time:
      for (const record_frame& frame : frames) {
        if (frame.timestamp_ms >= request.time_ms) return frame.base_offset;
      }
      return bounds.next;
    case net::read_start::at_offset:
      break;
  }
  if (request.offset > bounds.next) {
    return failure{.code = errc::offset_not_written,
                   .detail = fmt::format("offset {} is beyond the end", request.offset.value()),
                   .bounds = bounds};
  }
  if (request.offset < bounds.lowest) {
    return failure{.code = errc::offset_trimmed,
                   .detail = fmt::format("offset {} is trimmed", request.offset.value()),
                   .bounds = bounds};
  }
  return request.offset;
}

outcome<read_reply> fake_backend::state::read(const read_request& request) const {
  if (read_failure) return *read_failure;
  if (request.log != k_fake_log) return no_such_log(request.log);
  const auto start = start_of(request);
  if (const auto* failed = std::get_if<failure>(&start)) return *failed;
  read_reply reply{std::get<record_offset>(start), {}, bounds};
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
  for (const record_frame& frame : frames) {
    if (frame.base_offset.plus(frame.record_count) <= reply.start) continue;
    if (!reply.frames.empty() &&
        (bytes + frame.payload.size() > request.max_bytes || records >= request.max_records)) {
      break;
    }
    reply.frames.push_back(frame);
    bytes += frame.payload.size();
    records += frame.record_count;
  }
  return reply;
}

void fake_backend::state::answer_waiting(net::steady_time now) {
  for (auto it = waiting.begin(); it != waiting.end();) {
    auto got = read(it->request);
    const auto* reply = std::get_if<read_reply>(&got);
    if (reply != nullptr && reply->frames.empty() && now < it->until) {
      ++it;
      continue;
    }
    it->to->post(it->id, [done = std::move(it->done), answer = std::move(got)] { done(answer); });
    it = waiting.erase(it);
  }
  changed.notify_all();
}

void fake_backend::state::submit(const std::shared_ptr<mailbox>& to, request_id id,
                                 std::function<void()> answer) {
  if (!holding) return answer();
  held.push_back({to, id, std::move(answer)});
  changed.notify_all();
}

void fake_backend::state::run_clock() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    auto next = net::steady_time::max();
    for (const waiting_read& read : waiting)
      next = std::min(next, read.until);
    if (next == net::steady_time::max()) {
      changed.wait(lock);
    } else {
      changed.wait_until(lock, next);
      const auto now = std::chrono::steady_clock::now();
      if (now >= next) answer_waiting(now);
    }
  }
}

bool fake_backend::state::wait_until(const std::function<bool()>& reached) {
  std::unique_lock lock(mutex);
  return changed.wait_for(lock, k_patience, reached);
}

}  // namespace cairn::test
