#pragma once
// Appends lines under an identity, so that the log itself knows what it holds: an attempt whose
// answer never came is sent again as it is, by this session or by the same command run again, and
// the log answers with the first receipt. Nobody else's appends matter, so that many can write.
//
// With an idempotency key the whole input is one append. With a producer id it is a series of
// appends, numbered from 0: the n-th batch of the input is number n. So the batches must be cut the
// same way each time, by the input and the options alone (line_source_options::full_batches).

#include "apps/cairn/append_session.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::cli {

/// The node takes at most so much in one append.
inline constexpr std::uint64_t k_append_lines_max = 100'000;
inline constexpr std::uint64_t k_append_bytes_max = 16'000'000;

struct identity_settings {
  std::string log = "default";
  std::string idempotency_key;  ///< either this, and the source gives one batch
  std::string producer;         ///< or this
  std::uint64_t epoch = 0;      ///< of the producer
  double retry_s = 0;
  std::chrono::milliseconds first_pause = retry_budget::k_first_pause;
};

/// What is wrong with `name` as a key or a producer's id; empty when nothing is.
[[nodiscard]] std::string check_identity(const std::string& name);

class identity_session {
public:
  identity_session(net::log_client& client, line_source& source, identity_settings settings);

  /// Appends until the input ends or something fails. `progressed` is called after each batch.
  /// Lines that an earlier run has stored count as found.
  [[nodiscard]] append_outcome run(const append_session::observer& progressed);

private:
  [[nodiscard]] bool start();
  [[nodiscard]] bool check_end();
  [[nodiscard]] bool store(const line_batch& batch);
  [[nodiscard]] bool on_refused(const line_batch& batch, const error& why);
  void count(const line_batch& batch, const net::receipt& receipt);
  void count_found(const line_batch& batch);
  bool fail(const error& why, int code);
  bool fail_call(const error& why);

  net::log_client& client_;
  line_source& source_;
  identity_settings settings_;
  append_outcome outcome_;
  retry_budget retries_;
  std::uint64_t seq_ = 0;
  std::uint64_t known_below_ = 0;  // appends below this number are stored, by an earlier run
  bool may_be_stored_ = false;     // an attempt at the current batch got no answer
};

}  // namespace cairn::cli
