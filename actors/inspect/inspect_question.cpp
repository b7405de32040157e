#include "actors/inspect/inspect_question.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cairn::actors {
namespace {

error out_of_range(std::string_view field, std::uint64_t value, std::uint64_t max) {
  return {errc::invalid_argument, fmt::format("{}: {} is not within 0 to {}", field, value, max)};
}

status check_text(std::string_view field, const std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return {};
  return error{errc::invalid_argument,
               fmt::format("{}: {} bytes, at most {}", field, text.size(), bytes_max)};
}

status check_ask(const v1::InspectRequest& question) {
  switch (question.ask_case()) {
    case v1::InspectRequest::ASK_NOT_SET:
      return error{errc::invalid_argument, "the question asks nothing that this node knows"};
    case v1::InspectRequest::kEvents:
      if (question.events().limit() > k_inspect_events_max) {
        return out_of_range("events.limit", question.events().limit(), k_inspect_events_max);
      }
      if (question.events().wait_ms() > k_inspect_wait_ms_max) {
        return out_of_range("events.wait_ms", question.events().wait_ms(), k_inspect_wait_ms_max);
      }
      return {};
    case v1::InspectRequest::kMetrics:
      return check_text("metrics.pattern", question.metrics().pattern(),
                        k_inspect_pattern_bytes_max);
    case v1::InspectRequest::kLogLevel:
      if (auto wrong = check_text("log_level.component", question.log_level().component(),
                                  k_inspect_word_bytes_max);
          !wrong) {
        return wrong;
      }
      return check_text("log_level.level", question.log_level().level(), k_inspect_word_bytes_max);
    default:
      return {};
  }
}

/// The encoded size of an element of a repeated field, with its tag (below 16) and length.
template <class Message>
std::size_t field_bytes(const Message& message) {
  const auto size = message.ByteSizeLong();
  std::size_t length_bytes = 1;
  for (auto rest = size >> 7U; rest > 0; rest >>= 7U)
    ++length_bytes;
  return 1 + length_bytes + size;
}

/// How many elements, from the front, must stay for `excess` bytes to go.
template <class Message>
int kept_of(const google::protobuf::RepeatedPtrField<Message>& list, std::size_t excess) {
  int kept = list.size();
  for (std::size_t freed = 0; kept > 0 && freed < excess; --kept)
    freed += field_bytes(list.Get(kept - 1));
  return kept;
}

template <class Message>
std::uint64_t cut_back(google::protobuf::RepeatedPtrField<Message>& list, std::size_t excess) {
  const int kept = kept_of(list, excess);
  const int gone = list.size() - kept;
  if (gone > 0) list.DeleteSubrange(kept, gone);
  return static_cast<std::uint64_t>(gone);
}

template <class Message>
std::uint64_t cut_front(google::protobuf::RepeatedPtrField<Message>& list, std::size_t excess) {
  int gone = 0;
  for (std::size_t freed = 0; gone < list.size() && freed < excess; ++gone)
    freed += field_bytes(list.Get(gone));
  if (gone > 0) list.DeleteSubrange(0, gone);
  return static_cast<std::uint64_t>(gone);
}

void cut_events(v1::EventList& events, std::size_t excess) {
  if (cut_back(*events.mutable_events(), excess) == 0) return;
  events.set_more(true);
  if (!events.events().empty()) events.set_next(events.events().rbegin()->id());
}

}  // namespace

status check_question(v1::InspectRequest& question) {
  if (auto wrong = check_text("node", question.node(), k_inspect_name_bytes_max); !wrong) {
    return wrong;
  }
  if (auto wrong = check_text("log", question.log(), k_inspect_name_bytes_max); !wrong) {
    return wrong;
  }
  if (question.deadline_ms() > k_inspect_deadline_ms_max) {
    return out_of_range("deadline_ms", question.deadline_ms(), k_inspect_deadline_ms_max);
  }
  if (auto wrong = check_ask(question); !wrong) return wrong;
  if (question.deadline_ms() == 0) question.set_deadline_ms(k_inspect_deadline_ms_default);
  if (question.has_events()) {
    // "There is none yet" has to come before "nobody answered".
    const auto wait_max = question.deadline_ms() - question.deadline_ms() / 8;
    auto& events = *question.mutable_events();
    events.set_wait_ms(std::min(events.wait_ms(), wait_max));
  }
  return {};
}

result<v1::InspectRequest> decode_question(const shared_bytes& head) {
  v1::InspectRequest question;
  if (head.size() > k_inspect_question_bytes_max) {
    return out_of_range("bytes of the question", head.size(), k_inspect_question_bytes_max);
  }
  if (!question.ParseFromArray(head.data(), static_cast<int>(head.size()))) {
    return error{errc::invalid_argument, "the question is no InspectRequest"};
  }
  return question;
}

result<v1::InspectAnswer> decode_answer(const shared_bytes& head) {
  v1::InspectAnswer answer;
  if (head.size() > k_inspect_answer_bytes_max) {
    return out_of_range("bytes of the answer", head.size(), k_inspect_answer_bytes_max);
  }
  if (!answer.ParseFromArray(head.data(), static_cast<int>(head.size()))) {
    return error{errc::invalid_argument, "the answer is no InspectAnswer"};
  }
  return answer;
}

v1::InspectAnswer refused_answer(errc code, std::string detail) {
  v1::InspectAnswer answer;
  answer.set_code(static_cast<std::uint32_t>(code));
  answer.set_detail(std::move(detail));
  return answer;
}

void cut_to_fit(v1::InspectAnswer& answer, std::size_t bytes_max) {
  // What `more` and the lengths around the list may take on top.
  constexpr std::size_t k_slack_bytes = 64;
  const auto size = answer.ByteSizeLong();
  if (size + k_slack_bytes <= bytes_max) return;
  const auto excess = size + k_slack_bytes - bytes_max;
  if (answer.has_actors()) {
    auto& list = *answer.mutable_actors();
    list.set_more(list.more() + cut_back(*list.mutable_actors(), excess));
  } else if (answer.has_events()) {
    cut_events(*answer.mutable_events(), excess);
  } else if (answer.has_log_state()) {
    auto& log = *answer.mutable_log_state();
    log.set_more_segments(log.more_segments() + cut_front(*log.mutable_segments(), excess));
  } else if (answer.has_metrics()) {
    auto& list = *answer.mutable_metrics();
    list.set_more(list.more() + cut_back(*list.mutable_families(), excess));
  }
  if (answer.ByteSizeLong() <= bytes_max) return;
  const auto id = answer.id();
  auto node = answer.node();
  answer =
      refused_answer(errc::too_large,
                     fmt::format("the answer takes {} bytes, at most {} travel", size, bytes_max));
  answer.set_id(id);
  answer.set_node(std::move(node));
}

}  // namespace cairn::actors
