#pragma once
// How the console reaches the nodes: questions in, answers out. The real one is a peer link with
// the role of an observer (observer.hpp); tests of the commands use a fake.

#include "proto/cairn/v1/inspect.pb.h"
#include "storage/base/result.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace cairn::console {

/// A question to a node (empty: the one that is linked), and how long its answer is waited for.
struct asked {
  std::string node;
  v1::InspectRequest question;
  std::chrono::milliseconds deadline{0};
};

/// Owner: one thread, and its functions may block it until their deadline.
class inspector {
public:
  virtual ~inspector() = default;

  /// Asks `node` (empty: the one that is linked), which another member may pass the question on to.
  /// `id`, `deadline_ms` and `node` of the question are filled in here. Fails with unavailable
  /// (nobody is linked, or no answer within `deadline`; the detail says who was tried), else with
  /// the code and detail of the answer.
  [[nodiscard]] virtual result<v1::InspectAnswer> ask(const std::string& node,
                                                      v1::InspectRequest question,
                                                      std::chrono::milliseconds deadline) = 0;

  /// Asks all of them at once, or a few dozen at a time: one that does not answer takes nothing
  /// from the time of the others. What ask() would have said, in the order of `questions`.
  [[nodiscard]] virtual std::vector<result<v1::InspectAnswer>> ask_each(
      std::vector<asked> questions) = 0;

  /// Node id of whom the console is linked to, empty while it is nobody.
  [[nodiscard]] virtual std::string via() const = 0;

  /// What the user should know, one sentence each, since the last call: "n1 (127.0.0.1:7081) is
  /// gone; now through n2 (127.0.0.1:7082)".
  [[nodiscard]] virtual std::vector<std::string> take_notices() = 0;
};

}  // namespace cairn::console
