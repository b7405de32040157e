#pragma once
// The core's settings. Times are in milliseconds of the driver's monotonic clock.

#include <cstddef>
#include <cstdint>

namespace cairn::swim {

struct config {
  /// The protocol period T' (SWIM 3.1) of a healthy member: one member is probed in each.
  std::uint32_t probe_interval_ms = 1000;
  /// After so long without an answer others are asked to probe, too. Below probe_interval_ms.
  std::uint32_t probe_timeout_ms = 500;
  /// How many are asked (k in SWIM 3.1).
  std::uint32_t indirect_probes = 3;
  /// Largest health score S (Lifeguard IV-A): an unhealthy member is up to S+1 times as patient.
  std::uint32_t health_max = 8;
  /// Suspicion (Lifeguard IV-B): shortest time is alpha * log10(members) * probe_interval, longest
  /// is beta times that, and so many further accusers bring it from one to the other.
  double suspicion_alpha = 5;
  double suspicion_beta = 6;
  std::uint32_t suspicion_confirmations = 3;
  /// A claim is passed on lambda * ceil(log10(members + 1)) times (SWIM 4.1).
  std::uint32_t retransmit_lambda = 4;
  /// Claims on one message, unless it is a sync.
  std::size_t claims_per_message_max = 12;
  /// Everything that is known is compared with one other member so often, and more seldom in large
  /// groups: full_sync_interval_ms().
  std::uint32_t sync_interval_ms = 30'000;
  /// One failed member is asked so often whether it is back, in case its link never broke.
  std::uint32_t failed_probe_interval_ms = 5'000;
  /// One that left is remembered so long, so that old gossip does not bring it back.
  std::uint32_t left_keep_ms = 600'000;
  /// Are members taken from gossip, or only from introduce()? Without strangers what others say can
  /// change states, not the list.
  bool strangers = true;
  /// Members in any state. Nobody is added beyond it.
  std::size_t members_max = 4096;
  /// Pings on behalf of others at a time.
  std::size_t relays_max = 256;
};

}  // namespace cairn::swim
