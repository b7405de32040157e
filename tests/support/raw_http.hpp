#pragma once
// An HTTP client for tests that sends exactly the bytes it is given, right or wrong, and reads
// answers strictly. Blocking, with a time limit on every wait.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::test {

struct raw_response {
  int status = 0;                              ///< 0: the connection ended before an answer
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;                            ///< decoded if it was chunked

  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
  }
};

/// One connection to 127.0.0.1. Not thread-safe.
class raw_client {
public:
  /// Aborts if it cannot connect. `receive_buffer_bytes` 0: the system's.
  explicit raw_client(std::uint16_t port, int receive_buffer_bytes = 0);
  ~raw_client();
  raw_client(raw_client&& other) noexcept;
  raw_client& operator=(raw_client&&) = delete;

  /// Sends all of `bytes`. False if the other side does not take them within the time limit.
  bool send(std::string_view bytes);
  /// Reads the next answer, but for 100 Continue which is counted.
  [[nodiscard]] raw_response receive(bool head_only = false);
  /// send() and receive().
  [[nodiscard]] raw_response ask(std::string_view bytes) {
    send(bytes);
    return receive();
  }
  /// A GET that says nothing but the Host.
  [[nodiscard]] raw_response get(std::string_view target, std::string_view header_lines = {});
  /// A POST with Content-Length.
  [[nodiscard]] raw_response post(std::string_view target, std::string_view content_type,
                                  std::string_view body, std::string_view header_lines = {});
  /// Reads until what has been read (and not given out) contains `text`; gives out everything up to
  /// its end. Nothing if the connection ends before.
  [[nodiscard]] std::optional<std::string> read_past(std::string_view text);
  /// True if the other side closes (or resets) without sending more.
  [[nodiscard]] bool is_closed();
  /// True if there is something to read (or the end) within `limit`.
  [[nodiscard]] bool has_input(std::chrono::milliseconds limit) const;
  /// Everything until the other side closes.
  [[nodiscard]] std::string read_all();
  /// Ends this side's sending.
  void end_sending();
  /// Closes with a reset.
  void reset();
  void close();
  [[nodiscard]] int continue_count() const { return continues_; }

private:
  [[nodiscard]] bool fill();
  [[nodiscard]] std::optional<std::string> read_line();
  [[nodiscard]] bool read_exactly(std::size_t count, std::string& out);
  [[nodiscard]] bool read_chunks(std::string& out);

  int socket_ = -1;
  std::string buffer_;
  int continues_ = 0;
};

}  // namespace cairn::test
