#pragma once
// An inspector that answers from what a test has put into it, as three nodes would: n1, which is
// linked, n2, which leads, and n3.

#include "apps/console/inspector.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace cairn::console {

/// Of all canned answers: 2026-11-23 07:00:00 UTC.
inline constexpr std::int64_t k_now_ms = 1'795'417'200'000;

class fake_inspector : public inspector {
public:
  using ask_case = v1::InspectRequest::AskCase;

  result<v1::InspectAnswer> ask(const std::string& node, v1::InspectRequest question,
                                std::chrono::milliseconds deadline) override;
  std::vector<result<v1::InspectAnswer>> ask_each(std::vector<console::asked> questions) override;
  std::string via() const override { return linked; }
  std::vector<std::string> take_notices() override { return std::exchange(notices, {}); }

  /// `text`: an InspectAnswer in Protobuf's text format, without id, code and node.
  void answer(const std::string& node, ask_case what, const std::string& text);
  void fail(const std::string& node, ask_case what, error why);
  /// Every question to it fails.
  void silence(const std::string& node, error why);
  /// What is to be answered to the n-th question instead (and all later ones).
  std::function<void(fake_inspector&, std::uint64_t)> before_question;

  std::string linked = "n1";
  std::vector<std::string> notices;
  std::uint64_t questions = 0;
  std::vector<std::pair<std::string, v1::InspectRequest>> heard;
  std::size_t together = 0;  ///< most questions that were asked at once
  std::chrono::milliseconds last_deadline{0};

private:
  std::map<std::pair<std::string, ask_case>, result<v1::InspectAnswer>> answers_;
  std::map<std::string, error> silent_;
};

/// Message of a type from Protobuf's text format; a test that has a mistake in it ends.
template <class Message>
[[nodiscard]] Message from_text(const std::string& text);

/// Three nodes under load, all well.
void fill_with_three_nodes(fake_inspector& fake);

}  // namespace cairn::console
