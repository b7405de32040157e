#include "apps/log_level_hook.hpp"

#include "apps/log_format.hpp"

#include <fmt/format.h>
#include <optional>

namespace cairn::apps {

namespace {

std::optional<error> change_levels(const v1::AskLogLevel& ask) {
  const auto level = log_level_of(std::string_view(ask.level()));
  if (!level) {
    return error{errc::invalid_argument,
                 fmt::format("'{}' is no level: {}", ask.level(), level_names())};
  }
  const bool all = ask.component() == "all";
  const auto only = log_component_of(std::string_view(ask.component()));
  if (!all && !only) {
    return error{errc::invalid_argument, fmt::format("'{}' is no component: {}, or all",
                                                     ask.component(), component_names())};
  }
  for (std::size_t i = 0; i < k_log_components; ++i) {
    const auto component = static_cast<log_component>(i);
    if (all || component == *only) set_log_level(component, *level);
  }
  log_info(log_component::inspect)
      .field("changed", ask.component())
      .field("to", ask.level())
      .say("an operator has changed what this log says: {} is at {} now", ask.component(),
           ask.level());
  return std::nullopt;
}

}  // namespace

actors::inspect_handler log_level_hook() {
  return [](const v1::InspectRequest& question, const actors::inspect_done_fn& done) {
    v1::InspectAnswer answer;
    if (!question.log_level().component().empty()) {
      if (const auto wrong = change_levels(question.log_level())) {
        answer.set_code(static_cast<std::uint32_t>(wrong->code));
        answer.set_detail(wrong->detail);
        return done(std::move(answer), {});
      }
    }
    for (std::size_t i = 0; i < k_log_components; ++i) {
      const auto component = static_cast<log_component>(i);
      auto* const one = answer.mutable_log_levels()->add_levels();
      one->set_component(std::string(to_string(component)));
      one->set_level(std::string(to_string(log_level_of(component))));
    }
    done(std::move(answer), {});
  };
}

}  // namespace cairn::apps
