#include "tests/unit/console/fake_inspector.hpp"

#include "storage/base/check.hpp"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

namespace cairn::console {

template <class Message>
Message from_text(const std::string& text) {
  Message made;
  CAIRN_CHECK(google::protobuf::TextFormat::ParseFromString(text, &made), "bad text: {}", text);
  return made;
}
template v1::InspectAnswer from_text(const std::string&);
template v1::RaftState from_text(const std::string&);
template v1::NodeFacts from_text(const std::string&);
template v1::MemberList from_text(const std::string&);
template v1::MemberState from_text(const std::string&);
template v1::LogState from_text(const std::string&);
template v1::Event from_text(const std::string&);
template v1::Election from_text(const std::string&);
template v1::ActorList from_text(const std::string&);

std::vector<result<v1::InspectAnswer>> fake_inspector::ask_each(
    std::vector<console::asked> questions_of_all) {
  together = std::max(together, questions_of_all.size());
  std::vector<result<v1::InspectAnswer>> answers;
  for (auto& one : questions_of_all)
    answers.push_back(ask(one.node, std::move(one.question), one.deadline));
  return answers;
}

result<v1::InspectAnswer> fake_inspector::ask(const std::string& node, v1::InspectRequest question,
                                              std::chrono::milliseconds deadline) {
  ++questions;
  last_deadline = deadline;
  if (before_question) before_question(*this, questions);
  if (linked.empty()) return error{errc::unavailable, "no node answers; tried 127.0.0.1:7080"};
  const auto who = node.empty() ? linked : node;
  heard.emplace_back(who, question);
  if (const auto found = silent_.find(who); found != silent_.end()) return found->second;
  const auto found = answers_.find({who, question.ask_case()});
  if (found == answers_.end()) return error{errc::not_found, "the fake knows nothing of " + who};
  auto answer = found->second;
  if (!answer) return answer;
  answer->set_node(who);
  if (question.has_events()) {
    // As the ring does: what is behind `after`.
    auto& list = *answer->mutable_events();
    v1::EventList kept;
    for (const auto& one : list.events()) {
      if (one.id() > question.events().after()) *kept.add_events() = one;
    }
    kept.set_boot(list.boot());
    kept.set_next(kept.events().empty() ? question.events().after()
                                        : kept.events(kept.events_size() - 1).id());
    list = kept;
  }
  if (question.actors().actor() != 0) {
    v1::ActorList kept;
    for (const auto& one : answer->actors().actors()) {
      if (one.id() != question.actors().actor()) continue;
      *kept.add_actors() = one;
      kept.mutable_actors(0)->add_events("06:59:59.000 restarted: a message was not understood");
    }
    *answer->mutable_actors() = kept;
  }
  if (question.has_metrics()) {
    v1::MetricList kept;
    for (const auto& one : answer->metrics().families()) {
      if (one.name().find(question.metrics().pattern()) != std::string::npos) {
        *kept.add_families() = one;
      }
    }
    *answer->mutable_metrics() = kept;
  }
  return answer;
}

void fake_inspector::answer(const std::string& node, ask_case what, const std::string& text) {
  answers_.insert_or_assign({node, what}, from_text<v1::InspectAnswer>(text));
}

void fake_inspector::fail(const std::string& node, ask_case what, error why) {
  answers_.insert_or_assign({node, what}, std::move(why));
}

void fake_inspector::silence(const std::string& node, error why) {
  silent_.insert_or_assign(node, std::move(why));
}

namespace {

std::string members_text() {
  std::string members;
  for (int i = 1; i <= 3; ++i) {
    members += fmt::format(
        R"(members {{ id: "n{0}" number: {0} state: "alive" role: "voter" incarnation: {0}
           since_ms: {1} linked: true peer: "127.0.0.1:708{0}" http: "127.0.0.1:808{0}"
           version: "0.1.0" zone: "" }} )",
        i, k_now_ms - 600'000);
  }
  return fmt::format(R"(members {{ cluster_id: "c-1" leader: "n2" {} }})", members);
}

std::string facts_text(int i) {
  return fmt::format(
      R"(node_facts {{ node: "n{0}" cluster_id: "c-1" version: "0.1.0" pid: 100{0}
         started_ms: {1} now_ms: {2} peer: "127.0.0.1:708{0}" http: "127.0.0.1:808{0}"
         data_dir: "/data/n{0}" disk_bytes: 107374182400 disk_free_bytes: 53687091200
         resident_bytes: 44040192 cpu_ns: 72000000000 threads: 9 open_files: 41
         links {{ node: "n{3}" up: true address: "127.0.0.1:708{3}" since_ms: {1} }}
         links {{ node: "n{4}" up: true address: "127.0.0.1:708{4}" since_ms: {1} }}
         observers: 1 }})",
      i, k_now_ms - 600'000, k_now_ms, i % 3 + 1, (i + 1) % 3 + 1);
}

std::string raft_text(int i) {
  const bool leads = i == 2;
  std::string peers;
  for (int k = 1; k <= 3; ++k) {
    if (k == i) continue;
    peers += fmt::format(
        R"(peers {{ node: "n{0}" number: {0} role: "voter" state: "{1}" match_index: {2}
           next_index: {3} in_flight_bytes: {4} in_flight_messages: {5} last_contact_ms: {6}
           active: true linked: true }} )",
        k, leads ? "replicate" : "", leads ? 12'345'670 : 0, leads ? 12'345'679 : 0,
        leads ? 262'144 : 0, leads ? 2 : 0, 12);
  }
  return fmt::format(
      R"(raft {{ log: "default" node: "n{0}" number: {0} role: "{1}" term: 3 voted_for: "n2"
         leader: "n2" since_ms: {2} leader_since_ms: {2} first_index: 1 commit_index: 12345677
         applied_index: 12345677 last_index: 12345678 durable_index: 12345678
         next_offset: 45678 applied_offset: 45670 election_timeout_ms: 1000 heartbeat_ms: 100
         last_contact_ms: 40 voter: true queued_bytes: 1048576 queued_bytes_max: 67108864
         open_appends: 64 waiting_appends: 8 {3}
         elections {{ term: 3 time_ms: {4} cause: "{5}" leader: "n2" previous: "n1"
                     silence_ms: {6} }} }})",
      i, leads ? "leader" : "follower", k_now_ms - 180'000, peers, k_now_ms - 180'050,
      leads ? "no-heartbeat" : "higher-term", leads ? 1'230 : 0);
}

std::string log_text() {
  return R"(log_state { log: "default" lowest_offset: 0 next_offset: 45678 size_bytes: 152043520
    term: 3 segment_bytes: 67108864 max_record_bytes: 1048576
    segments { base_offset: 0 next_offset: 20000 size_bytes: 67108864 sealed: true actor: 21 }
    segments { base_offset: 20000 next_offset: 39000 size_bytes: 66060288 sealed: true actor: 22 }
    segments { base_offset: 39000 next_offset: 45678 size_bytes: 18874368 actor: 23 } })";
}

std::string actors_text(int i) {
  std::string segments;
  for (int k = 0; k < 25; ++k) {
    segments += fmt::format(R"(actors {{ id: {} kind: "segment" name: "{}" parent: 3
                               state: "sealed, idle" processed: 10 }} )",
                            20 + k, k * 1000);
  }
  return fmt::format(
      R"(actors {{ actors {{ id: 1 kind: "node" name: "n{0}" state: "serves" processed: 12 }}
         actors {{ id: 2 kind: "raft" name: "default" parent: 1 state: "leader of term 3"
                   mailbox: {1} processed: 812345 busy_ns: 91000000000 }}
         actors {{ id: 3 kind: "log" name: "default" parent: 1 state: "writes segment 39000"
                   mailbox: {2} processed: 400123 busy_ns: 47000000000 restarts: 1 }}
         {3} }})",
      i, i == 2 ? 37 : 0, i, segments);
}

std::string events_text(int i) {
  return fmt::format(
      R"(events {{ boot: 77 next: 3
         events {{ id: 1 time_ms: {0} kind: "node" severity: "info" source: "node n{2}"
                   text: "n{2} has started" }}
         events {{ id: 2 time_ms: {1} kind: "leader" severity: "info" source: "raft default"
                   text: "n2 leads default in term 3" fields {{ key: "term" value: "3" }} }} }})",
      k_now_ms - 600'000 + i, k_now_ms - 180'000 + i, i);
}

constexpr const char* k_metrics = R"(metrics {
  families { name: "cairn_log_bytes" help: "Size of the log on this node." type: "gauge"
    samples { labels { key: "log" value: "default" } value: 152043520 } }
  families { name: "cairn_append_stage_seconds" help: "Time of an append in each stage."
    type: "histogram"
    samples { suffix: "_bucket" labels { key: "stage" value: "sync" }
              labels { key: "le" value: "0.001" } value: 400 }
    samples { suffix: "_bucket" labels { key: "stage" value: "sync" }
              labels { key: "le" value: "0.01" } value: 995 }
    samples { suffix: "_bucket" labels { key: "stage" value: "sync" }
              labels { key: "le" value: "+Inf" } value: 1000 }
    samples { suffix: "_sum" labels { key: "stage" value: "sync" } value: 2.5 }
    samples { suffix: "_count" labels { key: "stage" value: "sync" } value: 1000 } } })";

constexpr const char* k_trace = R"(trace { offset: 45678 index: 12345679 term: 3 entry_node: "n1"
  leader: "n2" total_ns: 2400000 durable_on: 2 replicas: 3
  steps { node: "n1" actor: "gateway" what: "takes the append" at_ns: 0 took_ns: 0 }
  steps { node: "n2" actor: "raft" what: "waits for its turn" at_ns: 210000 took_ns: 90000 }
  steps { node: "n2" actor: "log" what: "writes and syncs" at_ns: 300000 took_ns: 1500000 }
  steps { node: "n3" actor: "log" what: "writes and syncs" at_ns: 520000 took_ns: 1300000 }
  steps { node: "n2" actor: "raft" what: "on a majority" at_ns: 1830000 took_ns: 0 }
  steps { node: "n1" actor: "gateway" what: "answers" at_ns: 2400000 took_ns: 0 } })";

}  // namespace

void fill_with_three_nodes(fake_inspector& fake) {
  for (int i = 1; i <= 3; ++i) {
    const auto node = fmt::format("n{}", i);
    fake.answer(node, v1::InspectRequest::kMembers, members_text());
    fake.answer(node, v1::InspectRequest::kNodeFacts, facts_text(i));
    fake.answer(node, v1::InspectRequest::kRaft, raft_text(i));
    fake.answer(node, v1::InspectRequest::kLogState, log_text());
    fake.answer(node, v1::InspectRequest::kActors, actors_text(i));
    fake.answer(node, v1::InspectRequest::kEvents, events_text(i));
    fake.answer(node, v1::InspectRequest::kMetrics, k_metrics);
    fake.answer(node, v1::InspectRequest::kTrace, k_trace);
  }
}

}  // namespace cairn::console
