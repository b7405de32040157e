#pragma once
// A node in memory for gateway tests: appends and reads work as at a real one, and a test can
// hold answers back, make requests fail and see what was asked.

#include "net/backend.hpp"
#include "proto/cairn/v1/inspect.pb.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn::test {

/// How a fake node answers operators. Nothing: not at all.
using fake_inspector =
    std::function<std::optional<net::outcome<net::inspect_answer>>(const v1::InspectRequest&)>;

struct asked_question {
  v1::InspectRequest what;
  std::chrono::milliseconds deadline{0};
};

/// Thread-safe. One log, `default`. An append is a frame of its own, with the timestamp
/// k_first_timestamp_ms plus its offset.
class fake_backend final : public net::backend {
public:
  static constexpr unix_ms k_first_timestamp_ms = 1'700'000'000'000;

  fake_backend();
  ~fake_backend() override;

  // --- for the gateway ---------------------------------------------------------------------------
  [[nodiscard]] std::unique_ptr<net::backend_port> open_port(std::function<void()> wake) override;
  [[nodiscard]] const std::string& node_id() const override;
  [[nodiscard]] std::vector<std::string> unready_reasons() const override;
  [[nodiscard]] std::optional<std::uint64_t> max_record_bytes(std::string_view log) const override;
  [[nodiscard]] std::optional<record_offset> next_offset(std::string_view log) const override;

  // --- for tests ---------------------------------------------------------------------------------
  /// Appends one frame of JSON records, as another client would; wakes waiting reads.
  void append_json(const std::vector<std::string>& values);
  /// Forgets the frames below `lowest`, which is where a frame begins.
  void trim(record_offset lowest);
  void set_max_record_bytes(std::uint64_t bytes);
  void set_unready(std::vector<std::string> reasons);
  /// Appends fail with `what` from now on; nothing: they work again.
  void fail_appends(std::optional<net::failure> what);
  /// Changes of the cluster fail likewise.
  void fail_changes(std::optional<net::failure> what);
  /// Answers operators' questions from now on, on the gateway's threads and one at a time.
  void answer_questions(fake_inspector how);
  /// What operators have asked so far.
  [[nodiscard]] std::vector<asked_question> questions() const;
  void fail_reads(std::optional<net::failure> what);
  /// Appends and reads from now on are answered only by release_all().
  void hold();
  /// Answers what is held, the newest first if `reversed`, and holds no more.
  void release_all(bool reversed = false);

  // These wait for the gateway's threads, ten seconds at most; false if it did not happen.
  [[nodiscard]] bool wait_for_held(std::size_t count);
  [[nodiscard]] bool wait_for_questions(std::size_t count);
  [[nodiscard]] bool wait_for_cancelled(std::size_t count);
  [[nodiscard]] bool wait_for_waiting_reads(std::size_t count);

  /// Values in the log, in order.
  [[nodiscard]] std::vector<std::string> values() const;
  /// What has been asked for so far.
  [[nodiscard]] std::size_t append_count() const;
  [[nodiscard]] std::size_t read_count() const;
  [[nodiscard]] net::append_request last_append() const;
  [[nodiscard]] net::read_request last_read() const;
  [[nodiscard]] net::cluster_change last_change() const;
  [[nodiscard]] std::size_t change_count() const;

private:
  struct state;
  class port;
  std::shared_ptr<state> state_;
};

}  // namespace cairn::test
