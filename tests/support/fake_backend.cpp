#include "tests/support/fake_backend.hpp"

#include "proto/record_codec.hpp"
#include "tests/support/fake_backend_state.hpp"

#include <algorithm>

namespace cairn::test {

fake_backend::fake_backend() : state_(std::make_shared<state>()) {
  state_->clock = std::thread([node = state_.get()] { node->run_clock(); });
}

fake_backend::~fake_backend() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  state_->clock.join();
}

const std::string& fake_backend::node_id() const {
  return state_->node_id;
}

std::vector<std::string> fake_backend::unready_reasons() const {
  const std::lock_guard lock(state_->mutex);
  return state_->unready;
}

std::optional<std::uint64_t> fake_backend::max_record_bytes(std::string_view log) const {
  const std::lock_guard lock(state_->mutex);
  return log == k_fake_log ? std::optional(state_->max_record_bytes) : std::nullopt;
}

std::optional<record_offset> fake_backend::next_offset(std::string_view log) const {
  const std::lock_guard lock(state_->mutex);
  return log == k_fake_log ? std::optional(state_->bounds.next) : std::nullopt;
}

void fake_backend::append_json(const std::vector<std::string>& values) {
  proto::batch_encoder encoder;
  for (const std::string& value : values) {
    encoder.append(as_byte_span(value), proto::value_kind::json);
  }
  auto batch = encoder.finish();
  const std::lock_guard lock(state_->mutex);
  state_->store({std::move(batch.payload), batch.record_count});
}

void fake_backend::trim(record_offset lowest) {
  const std::lock_guard lock(state_->mutex);
  std::erase_if(state_->frames, [&](const record_frame& f) { return f.base_offset < lowest; });
  state_->bounds.lowest = lowest;
}

void fake_backend::set_max_record_bytes(std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->max_record_bytes = bytes;
}

void fake_backend::set_unready(std::vector<std::string> reasons) {
  const std::lock_guard lock(state_->mutex);
  state_->unready = std::move(reasons);
}

void fake_backend::fail_appends(std::optional<failure> what) {
  const std::lock_guard lock(state_->mutex);
  state_->append_failure = std::move(what);
}

void fake_backend::fail_changes(std::optional<failure> what) {
  const std::lock_guard lock(state_->mutex);
  state_->change_failure = std::move(what);
}

net::cluster_change fake_backend::last_change() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_change;
}

std::size_t fake_backend::change_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->changes;
}

void fake_backend::fail_reads(std::optional<failure> what) {
  const std::lock_guard lock(state_->mutex);
  state_->read_failure = std::move(what);
}

void fake_backend::hold() {
  const std::lock_guard lock(state_->mutex);
  state_->holding = true;
}

void fake_backend::release_all(bool reversed) {
  const std::lock_guard lock(state_->mutex);
  state_->holding = false;
  auto held = std::move(state_->held);
  state_->held.clear();
  if (reversed) std::reverse(held.begin(), held.end());
  for (const held_answer& one : held)
    one.answer();
}

bool fake_backend::wait_for_held(std::size_t count) {
  return state_->wait_until([&] { return state_->held.size() >= count; });
}

bool fake_backend::wait_for_cancelled(std::size_t count) {
  return state_->wait_until([&] { return state_->cancelled >= count; });
}

bool fake_backend::wait_for_waiting_reads(std::size_t count) {
  return state_->wait_until([&] { return state_->waiting.size() >= count; });
}

std::vector<std::string> fake_backend::values() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> out;
  for (const record_frame& frame : state_->frames) {
    proto::batch_reader reader(frame.payload.span());
    proto::record_view record;
    while (reader.next(record))
      out.emplace_back(as_text(record.value));
  }
  return out;
}

std::size_t fake_backend::append_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->appends;
}

std::size_t fake_backend::read_count() const {
  const std::lock_guard lock(state_->mutex);
  return state_->reads;
}

append_request fake_backend::last_append() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_append;
}

read_request fake_backend::last_read() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_read;
}

}  // namespace cairn::test
