#pragma once
// A raft::core whose inputs are written down by a flight_recorder, if there is one.

#include "actors/raft/archive_fields.hpp"
#include "actors/recorder/flight_recorder.hpp"

#include <utility>

namespace cairn::actors {

/// What became of a take_ready(): what it gave, and the state behind it.
[[nodiscard]] inline std::uint32_t fingerprint_of(const raft::ready& out, const raft::core& core) {
  raft::image_hash hash;
  pass(hash, out);
  hash.number(core.fingerprint());
  return hash.value();
}

/// Hands random numbers through, and writes down those that are drawn by an input.
class recorded_random : public raft::random_source {
public:
  recorded_random(raft::random_source& from, flight_recorder* recorder)
      : from_(from), recorder_(recorder) {}

  std::uint64_t next() override {
    const std::uint64_t number = from_.next();
    if (recorder_ != nullptr) recorder_->drawn(number);
    return number;
  }

private:
  raft::random_source& from_;
  flight_recorder* recorder_;
};

/// Owner: one thread, the recorder's. Step and take it through this class, not through the core.
class recorded_core : private recorded_random, public raft::core {
public:
  /// `random` and `recorder` outlive the core; null: nothing is recorded.
  recorded_core(const raft::core_config& config, const raft::boot_state& boot,
                raft::random_source& random, flight_recorder* recorder)
      : recorded_random(random, recorder),
        core(config, boot, static_cast<recorded_random&>(*this)),
        recorder_(recorder) {
    if (recorder_ != nullptr) recorder_->settled(*this);
  }

  void step(raft::input in) {
    if (recorder_ == nullptr) return core::step(std::move(in));
    recorder_->input(in);
    core::step(std::move(in));
    recorder_->done(fingerprint());
  }

  [[nodiscard]] raft::ready take_ready() {
    if (recorder_ == nullptr) return core::take_ready();
    recorder_->taking();
    raft::ready out = core::take_ready();
    recorder_->done(fingerprint_of(out, *this));
    recorder_->settled(*this);
    return out;
  }

private:
  flight_recorder* recorder_;
};

}  // namespace cairn::actors
