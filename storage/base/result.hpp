#pragma once
// result<T>: a value or an error. Errors are values; no exception crosses a function of ours.
//
//   result<int> parse(std::string_view text);
//   auto n = parse("7");
//   if (!n) return n.error();      // converts into any other result<U> or status
//   use(*n);

#include "storage/base/check.hpp"
#include "storage/base/errc.hpp"

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace cairn {

/// What went wrong: a code to react to and a sentence for people that names the input, file or
/// position.
struct [[nodiscard]] error {
  errc code = errc::internal;
  std::string detail;

  bool operator==(const error&) const = default;
};

/// Either a T or an error. Must be looked at. Reading the wrong side is a bug and aborts.
template <class T>
class [[nodiscard]] result {
public:
  using value_type = T;

  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(*-explicit-*)
  result(cairn::error failure)
      : state_(std::in_place_index<1>, std::move(failure)) {}  // NOLINT(*-explicit-*)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  T& value() {
    CAIRN_CHECK(ok(), "value of a failed result: {}", std::get<1>(state_).detail);
    return std::get<0>(state_);
  }
  const T& value() const {
    CAIRN_CHECK(ok(), "value of a failed result: {}", std::get<1>(state_).detail);
    return std::get<0>(state_);
  }
  const cairn::error& error() const {
    CAIRN_CHECK(!ok(), "error of a result that holds a value");
    return std::get<1>(state_);
  }
  [[nodiscard]] errc code() const { return ok() ? errc::none : std::get<1>(state_).code; }

private:
  std::variant<T, cairn::error> state_;
};

/// Success or an error.
template <>
class [[nodiscard]] result<void> {
public:
  using value_type = void;

  result() = default;
  result(cairn::error failure) : failure_(std::move(failure)) {}  // NOLINT(*-explicit-*)

  [[nodiscard]] bool ok() const { return !failure_.has_value(); }
  explicit operator bool() const { return ok(); }

  const cairn::error& error() const {
    CAIRN_CHECK(!ok(), "error of a status that is ok");
    return *failure_;
  }
  [[nodiscard]] errc code() const { return ok() ? errc::none : failure_->code; }

private:
  std::optional<cairn::error> failure_;
};

using status = result<void>;

}  // namespace cairn
