#include "actors/recorder/replay.hpp"

#include "actors/recorder/recorded_core.hpp"
#include "storage/base/check.hpp"

#include <fmt/format.h>

namespace cairn::actors {

std::uint64_t replay::script::next() {
  if (numbers.empty()) {
    missed = true;
    return 0;
  }
  const std::uint64_t number = numbers.front();
  numbers.pop_front();
  return number;
}

replay::replay(const recorder_dump& dump) : dump_(dump) {
  CAIRN_CHECK(!dump_.chunks.empty(), "a dump without chunks");
  for (const dump_chunk& chunk : dump_.chunks)
    step_count_ += chunk.steps.size();
  last_us_ = dump_.chunks.front().began_us;
  load_chunk();
}

// The state that was written down must be the one that the inputs before it led to.
void replay::load_chunk() {
  const dump_chunk& chunk = dump_.chunks[chunk_];
  const bool follows =
      chunk_ > 0 && chunk.continues && dump_.chunks[chunk_ - 1].sequence + 1 == chunk.sequence;
  const std::uint32_t before = follows ? core_->fingerprint() : 0;
  raft::image_reader from(chunk.image);
  core_ = raft::core::load(dump_.head.identity.core, from, random_);
  CAIRN_CHECK(core_ != nullptr, "decode_dump() let a bad image pass");
  if (follows && core_->fingerprint() != before) {
    image_mismatch_ = fmt::format(
        "the state at the beginning of chunk {} is not what the inputs before it lead to",
        chunk.sequence);
  }
  after_gap_ = chunk_ > 0 && !follows;
  at_ = 0;
}

const recorded_step* replay::next() {
  while (at_ == dump_.chunks[chunk_].steps.size()) {
    if (chunk_ + 1 == dump_.chunks.size()) return nullptr;
    ++chunk_;
    load_chunk();
  }
  return &dump_.chunks[chunk_].steps[at_];
}

replay_step replay::step() {
  const recorded_step* what = next();
  CAIRN_CHECK(what != nullptr, "replayed beyond the end");
  const dump_chunk& chunk = dump_.chunks[chunk_];
  replay_step step;
  step.number = ++number_;
  step.unix_us = chunk.began_ms * 1000 + static_cast<std::int64_t>(what->at_us - chunk.began_us);
  step.since_last_us = what->at_us > last_us_ ? what->at_us - last_us_ : 0;
  step.after_gap = std::exchange(after_gap_, false);
  step.recorded = what;
  step.before = core_->status();
  step.unfinished = !what->fingerprint.has_value();
  step.mismatch = std::exchange(image_mismatch_, {});
  last_us_ = what->at_us;
  ++at_;

  random_.numbers.assign(what->draws.begin(), what->draws.end());
  random_.missed = false;
  std::uint32_t fingerprint = 0;
  if (what->in) {
    core_->step(*what->in);
    fingerprint = core_->fingerprint();
  } else {
    step.out = core_->take_ready();
    fingerprint = fingerprint_of(*step.out, *core_);
  }
  step.after = core_->status();
  if (!step.mismatch.empty() || step.unfinished) return step;
  if (random_.missed || !random_.numbers.empty()) {
    step.mismatch = random_.missed ? "the core draws more random numbers than it did"
                                   : "the core draws fewer random numbers than it did";
  } else if (fingerprint != *what->fingerprint) {
    step.mismatch =
        fmt::format("what the core made of it has fingerprint {:08x}, then it was {:08x}",
                    fingerprint, *what->fingerprint);
  }
  return step;
}

std::string first_mismatch(const recorder_dump& dump) {
  replay run(dump);
  while (run.next() != nullptr) {
    const replay_step step = run.step();
    if (!step.mismatch.empty()) return fmt::format("step {}: {}", step.number, step.mismatch);
  }
  return {};
}

}  // namespace cairn::actors
