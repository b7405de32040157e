#include "actors/segment_actor.hpp"

#include "storage/base/log_line.hpp"

#include <caf/result.hpp>
#include <fmt/format.h>

namespace cairn::actors {

segment_state::segment_state(caf::event_based_actor* self, segment_actor_config config)
    : self_(self),
      config_(std::move(config)),
      journal_(*config_.env, "segment",
               fmt::format("{}/{:020}", config_.log, config_.segment.base_offset.value()),
               config_.parent, config_.restarts) {
  if (config_.restarts > 0) journal_.note("restarted after a fault");
}

caf::behavior segment_state::make_behavior() {
  return {
      [this](segment_read& request) { return read(request); },
      [this](const cold_read_done& done) { finish(done); },
      [this](const segment_sealed& sealed) {
        const auto busy = journal_.enter();
        config_.segment.next_offset = sealed.next_offset;
        config_.segment.size_bytes = sealed.size_bytes;
        config_.segment.sealed = true;
        journal_.note(fmt::format("sealed at offset {}", sealed.next_offset.value()));
      },
      [this](describe) {
        const auto busy = journal_.enter();
        return journal_.report(self_->id(), self_->mailbox().size(), state_line());
      },
  };
}

caf::result<caf::message> segment_state::read(segment_read& request) {
  const auto busy = journal_.enter();
  const bool room = in_flight_ < config_.gate->segment_reads_max;
  if (!room || !config_.gate->cold_reads.try_add(1)) {
    read_outcome refused;
    refused.code = errc::overloaded;
    refused.detail = fmt::format("{} reads wait for the disk already",
                                 room ? config_.gate->cold_reads.count() : in_flight_);
    return caf::make_message(std::move(refused));
  }
  ++in_flight_;
  const auto& reader = config_.readers[journal_.processed() % config_.readers.size()];
  return self_->delegate(reader, cold_read{std::move(request), caf::actor{self_}});
}

void segment_state::finish(const cold_read_done& done) {
  const auto busy = journal_.enter();
  --in_flight_;
  ++reads_;
  read_bytes_ += done.size_bytes;
  if (done.code != errc::corruption && done.code != errc::io_error) return;
  log_error(log_component::log)
      .sparsely()
      .field("log", config_.log)
      .field("segment", config_.segment.base_offset.value())
      .field("code", to_string(done.code))
      .say(
          "a read failed: {}. Whoever asked gets an error; other segments and appends go on. Check "
          "the disk (dmesg, smartctl), and the data with 'cairn verify' while the node is stopped: "
          "another node has the same records.",
          done.detail);
  self_->quit(caf::make_error(done.code, done.detail));
}

std::string segment_state::state_line() const {
  const auto& segment = config_.segment;
  const auto next = segment.sealed ? segment.next_offset : config_.reader->end_offset();
  return fmt::format("{} offsets [{}, {}), {} reads in flight, {} done, {} bytes",
                     segment.sealed ? "sealed" : "active", segment.base_offset.value(),
                     next.value(), in_flight_, reads_, read_bytes_);
}

}  // namespace cairn::actors
