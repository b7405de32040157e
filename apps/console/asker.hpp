#pragma once
// Questions to one node or to all of them, and what came back.

#include "apps/console/inspector.hpp"

#include <atomic>
#include <boost/json/value.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::console {

/// What one node said, or why it said nothing.
struct reply {
  std::string node;
  v1::InspectAnswer answer;
  std::optional<error> failure;
};

/// What a command has learned: printed as text or as JSON.
struct document {
  std::string command;
  std::string via;  ///< who was linked
  std::int64_t now_ms = 0;
  std::vector<reply> replies;
  boost::json::object extra;   ///< of the command itself, for JSON
  bool told_in_extra = false;  ///< JSON has the answers there; only failures are listed
};

/// Owner: the console's thread.
class asker {
public:
  struct options {
    std::chrono::milliseconds timeout{5'000};
    std::function<std::int64_t()> now_ms;  ///< Unix time
    const std::atomic<bool>* interrupted = nullptr;
  };
  /// One of several is not waited for longer than this, and this long if SWIM has given it up.
  static constexpr std::chrono::milliseconds k_one_of_all_max{2'000};
  static constexpr std::chrono::milliseconds k_failed_one_max{500};

  asker(inspector& through, options with) : through_(through), options_(std::move(with)) {}

  [[nodiscard]] std::string via() const { return through_.via(); }
  [[nodiscard]] std::vector<std::string> take_notices() { return through_.take_notices(); }
  [[nodiscard]] std::int64_t now_ms() const { return options_.now_ms(); }
  [[nodiscard]] bool interrupted() const {
    return options_.interrupted != nullptr && options_.interrupted->load();
  }
  [[nodiscard]] document new_document(std::string_view command) const;

  /// Codes as inspector::ask().
  [[nodiscard]] result<v1::InspectAnswer> ask(const std::string& node,
                                              const v1::InspectRequest& question);
  /// As a reply. `node` empty: of whom is linked.
  [[nodiscard]] reply ask_one(const std::string& node, const v1::InspectRequest& question);
  /// Of every member, as the linked node knows them (of that one alone when it belongs to none), in
  /// the order of their names, all at once. Fails when nobody can be asked at all.
  [[nodiscard]] result<std::vector<reply>> ask_all(const v1::InspectRequest& question);
  /// Of `node`, or of every member when it is empty.
  [[nodiscard]] result<std::vector<reply>> ask_these(const std::string& node,
                                                     const v1::InspectRequest& question);

  struct member {
    std::string id;
    bool failed = false;
  };
  /// A question of its own to each of some members: all are asked at once. In their order. A member
  /// that alone is asked is waited for as long as the user has said.
  [[nodiscard]] std::vector<reply> ask_each(
      const std::vector<std::pair<member, v1::InspectRequest>>& questions);
  /// Of each member the answer to each question, in the order of both: all are asked at once.
  [[nodiscard]] std::vector<std::vector<reply>> ask_together(
      const std::vector<member>& whom, const std::vector<v1::InspectRequest>& questions);
  [[nodiscard]] result<std::vector<member>> members();

private:
  inspector& through_;
  options options_;
};

}  // namespace cairn::console
