// How much the node's own log says, for each component: shown, and changed while it runs.
#include "net/handlers/handlers.hpp"
#include "net/handlers/inspect.hpp"
#include "net/http/json_out.hpp"
#include "net/records/ascii.hpp"
#include "net/records/string_fields.hpp"
#include "storage/base/log_line.hpp"

#include <array>
#include <fmt/format.h>

namespace cairn::net {

namespace {

constexpr std::uint64_t k_level_body_bytes = 1'024;
constexpr std::string_view k_all = "all";

template <class Enum>
std::string names(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += fmt::format("{}{}", i == 0 ? "" : ", ", to_string(static_cast<Enum>(i)));
  return out;
}

void append_levels(std::string& out, const v1::InspectAnswer& answer) {
  append_json_key(out, "node");
  append_json_lossy(out, answer.node());
  append_json_key(out, "levels");
  out += '{';
  for (const auto& one : answer.log_levels().levels()) {
    append_json_key(out, one.component());
    append_json_lossy(out, one.level());
  }
  out += '}';
}

}  // namespace

void run_show_log_levels(exchange& x, const request_head&, std::string_view) {
  v1::InspectRequest question;
  question.mutable_log_level();
  answer_inspection(x, std::move(question), append_levels);
}

std::optional<problem> check_set_log_level(exchange& x, check_input& in) {
  if (auto wrong = check_inspection(x, in)) return wrong;
  if (in.item != k_all && !log_component_of(in.item)) {
    return make_problem(404, to_string(errc::not_found),
                        fmt::format("there is no component '{}': there are {}, and {} for all",
                                    in.item, names<log_component>(k_log_components), k_all));
  }
  x.parameters.member = in.item;
  const auto type = in.head.content_type.value_or(std::string_view{});
  if (!iequals(type.substr(0, type.find(';')), k_json_type)) {
    return make_problem(
        415, "unsupported-media-type",
        fmt::format("the content type is '{}', understood is {}", type, k_json_type));
  }
  x.body_limit_bytes = k_level_body_bytes;
  return std::nullopt;
}

void run_set_log_level(exchange& x, const request_head&, std::string_view body) {
  constexpr std::array<std::string_view, 1> k_fields{"level"};
  auto fields = parse_string_fields(body, k_fields);
  if (!fields) return x.fail(bad_argument(fields.error().detail));
  const auto& level = fields->front();
  if (!log_level_of(std::string_view(level))) {
    return x.fail(bad_argument(fmt::format("field 'level' is '{}', none of {}", level.substr(0, 80),
                                           names<log_level>(k_log_levels))));
  }
  v1::InspectRequest question;
  question.mutable_log_level()->set_component(x.parameters.member);
  question.mutable_log_level()->set_level(level);
  answer_inspection(x, std::move(question), append_levels);
}

}  // namespace cairn::net
