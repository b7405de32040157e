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

std::optional<outcome<net::inspect_answer>> fake_backend::state::answer(
    const v1::InspectRequest& question) const {
  using got = outcome<net::inspect_answer>;
  if (!question.node().empty() && question.node() != node_id) {
    return got(failure{.code = errc::not_found, .detail = "there is no node " + question.node()});
  }
  auto answer = std::make_shared<v1::InspectAnswer>();
  answer->set_node(node_id);
  if (question.has_members()) {
    answer->mutable_members()->set_cluster_id("c1");
    answer->mutable_members()->set_leader(node_id);
    auto& self = *answer->mutable_members()->add_members();
    self.set_id(node_id);
    self.set_state("alive");
    self.set_http("127.0.0.1:8080");
    self.set_peer("127.0.0.1:7080");
    self.set_version("0.1.0");
    self.set_incarnation(1);
    self.set_zone("z1");
    self.set_role("voter");
    self.set_linked(true);
    self.set_since_ms(fake_backend::k_first_timestamp_ms);
  } else if (question.has_actors()) {
    if (question.actors().actor() != 0 && question.actors().actor() != 7) {
      return got(failure{.code = errc::not_found, .detail = "no such actor"});
    }
    auto& actor = *answer->mutable_actors()->add_actors();
    actor.set_id(7);
    actor.set_kind("log");
    actor.set_name("default");
    actor.set_parent(1);
    actor.set_state("idle");
    actor.set_processed(12);
    actor.set_busy_ns(5'500);
    if (question.actors().actor() != 0) {
      actor.add_events("started");
      actor.add_events("says \"hello\"");
    }
  } else {
    return got(failure{.code = errc::unsupported, .detail = "the fake node does not tell"});
  }
  return got(net::inspect_answer{.what = std::move(answer)});
}

void fake_backend::answer_questions(fake_inspector how) {
  const std::lock_guard lock(state_->mutex);
  state_->inspect = std::move(how);
}

std::vector<asked_question> fake_backend::questions() const {
  const std::lock_guard lock(state_->mutex);
  return state_->questions;
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

bool fake_backend::wait_for_questions(std::size_t count) {
  return state_->wait_until([&] { return state_->questions.size() >= count; });
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
