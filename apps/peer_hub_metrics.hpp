#pragma once
// Counters of the peer links.

#include "actors/peer_envelope.hpp"

#include <array>
#include <cstdint>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <string>
#include <string_view>

namespace cairn::apps {

/// Why an envelope went no further.
enum class peer_drop : std::uint8_t { no_link, no_room, too_large, no_receiver, unknown_kind };

/// Thread-safe. Without a registry it counts nothing.
class peer_hub_metrics {
public:
  explicit peer_hub_metrics(prometheus::Registry* registry) {
    if (registry == nullptr) return;
    links_ = &prometheus::BuildGauge()
                  .Name("cairn_peer_links")
                  .Help("Nodes that this one is linked with")
                  .Register(*registry)
                  .Add({});
    observers_ = &prometheus::BuildGauge()
                      .Name("cairn_peer_observers")
                      .Help("Consoles and other observers that are linked")
                      .Register(*registry)
                      .Add({});
    auto& cut = prometheus::BuildCounter()
                    .Name("cairn_peer_cut_total")
                    .Help("Links that were cut because of what came over them, by who was there")
                    .Register(*registry);
    cut_ = {&cut.Add({{"role", "node"}}), &cut.Add({{"role", "observer"}})};
    auto& sent = prometheus::BuildCounter()
                     .Name("cairn_peer_sent_bytes_total")
                     .Help("Bytes of envelopes handed to a link, by lane")
                     .Register(*registry);
    sent_ = {&sent.Add({{"lane", "control"}}), &sent.Add({{"lane", "bulk"}})};
    auto& dropped = prometheus::BuildCounter()
                        .Name("cairn_peer_dropped_total")
                        .Help("Envelopes that went no further, by reason")
                        .Register(*registry);
    constexpr std::array names{"no-link", "no-room", "too-large", "no-receiver", "unknown-kind"};
    for (std::size_t i = 0; i < names.size(); ++i)
      dropped_.at(i) = &dropped.Add({{"reason", names.at(i)}});
    refused_ =
        &prometheus::BuildCounter()
             .Name("cairn_peer_refused_total")
             .Help("Peer connections that did not become a link, by reason and by who dialled")
             .Register(*registry);
  }

  void count_links(int change) {
    if (links_ != nullptr) links_->Increment(change);
  }
  void count_observers(int change) {
    if (links_ != nullptr) observers_->Increment(change);
  }
  void count_cut(bool observer) {
    if (links_ != nullptr) cut_.at(observer ? 1 : 0)->Increment();
  }
  void count_sent(std::size_t lane, std::uint64_t bytes) {
    if (links_ != nullptr) sent_.at(lane)->Increment(static_cast<double>(bytes));
  }
  void count_dropped(peer_drop why) {
    if (links_ != nullptr) dropped_.at(static_cast<std::size_t>(why))->Increment();
  }
  /// `why` is one of few fixed words.
  void count_refused(std::string_view why, bool inbound) {
    if (refused_ == nullptr) return;
    refused_->Add({{"reason", std::string(why)}, {"dialled_by", inbound ? "them" : "us"}})
        .Increment();
  }

private:
  prometheus::Gauge* links_ = nullptr;
  prometheus::Gauge* observers_ = nullptr;
  std::array<prometheus::Counter*, 2> cut_{};
  std::array<prometheus::Counter*, actors::k_peer_lanes> sent_{};
  std::array<prometheus::Counter*, 5> dropped_{};
  prometheus::Family<prometheus::Counter>* refused_ = nullptr;
};

}  // namespace cairn::apps
