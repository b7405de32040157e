#include "apps/cairn/replay_printer.hpp"

#include "proto/cluster_context.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>
#include <fmt/format.h>

namespace cairn::cli {

namespace {

namespace json = boost::json;

std::string_view name_of(actors::change_topic topic) {
  constexpr std::array<std::string_view, 3> k_names = {"election", "log", "peers"};
  return k_names.at(static_cast<std::size_t>(topic));
}

std::string state_line(const raft::core_status& s, const node_names& names) {
  return fmt::format("{} in term {}, leader {}, entries ({}, {}] committed to {}, durable to {}",
                     actors::name_of(s.as), s.term.value(),
                     s.leader == raft::k_nobody ? "unknown" : names(s.leader),
                     s.start.index.value(), s.last.index.value(), s.commit.value(),
                     s.durable.value());
}

json::object state_json(const raft::core_status& s, const node_names& names) {
  json::object out;
  out["role"] = json::string_view(actors::name_of(s.as));
  out["term"] = s.term.value();
  if (s.leader == raft::k_nobody) {
    out["leader"] = nullptr;
  } else {
    out["leader"] = names(s.leader);
  }
  out["first_index"] = s.start.index.value() + 1;
  out["last_index"] = s.last.index.value();
  out["commit_index"] = s.commit.value();
  out["durable_index"] = s.durable.value();
  return out;
}

std::string since_text(std::uint64_t us) {
  return us < 10'000 ? fmt::format("+{} us", us)
                     : fmt::format("+{:.1f} ms", static_cast<double>(us) / 1e3);
}

}  // namespace

std::string utc_text(std::int64_t unix_us) {
  const std::time_t seconds = static_cast<std::time_t>(unix_us / 1'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &utc);
  return fmt::format("{}.{:03}", text.data(), unix_us % 1'000'000 / 1000);
}

void node_names::learn(const raft::core& core) {
  for (const auto& item : core.configs().items()) {
    const auto context = proto::decode_cluster_context(item.config.context.span());
    if (!context) continue;
    for (const proto::cluster_member& member : context->members)
      names_[raft::node_id(member.number)] = member.node_id;
  }
}

std::string node_names::operator()(raft::node_id node) const {
  if (node == raft::k_nobody) return "nobody";
  const auto found = names_.find(node);
  return found == names_.end() ? fmt::format("node {}", node.value()) : found->second;
}

void replay_printer::head(const actors::replay& run) {
  names_.learn(run.core());
  if (as_json_) return;
  const actors::dump_head& head = dump_.head;
  const actors::dump_chunk& first = dump_.chunks.front();
  out_.write(fmt::format("node {}, log {}, cluster {}, cairnd {}\n", head.identity.node,
                         head.identity.log, head.identity.cluster_id, head.identity.version));
  out_.write(fmt::format("written {} UTC: {}\n", utc_text(head.written_ms * 1000), head.reason));
  out_.write(fmt::format("{} steps from {} UTC on; a tick is {} ms\n",
                         with_commas(run.step_count()), utc_text(first.began_ms * 1000),
                         head.identity.tick_ns / 1'000'000));
  out_.write(fmt::format("begins as {}\n\n", state_line(run.core().status(), names_)));
}

void replay_printer::pass(const actors::replay_step& step, const actors::replay& run) {
  const std::uint64_t configs = step.after.config_index.value();
  if (configs != step.before.config_index.value() || step.after_gap) names_.learn(run.core());
}

bool replay_printer::step(const actors::replay_step& step, const actors::replay& run) {
  pass(step, run);
  const auto why = actors::explain(step, dump_.head.identity.core, names_);
  const bool about_elections = std::any_of(why.begin(), why.end(), [](const auto& change) {
    return change.topic == actors::change_topic::election;
  });
  const bool wanted = show_ == replay_show::all || !step.mismatch.empty() || step.after_gap ||
                      step.unfinished || (show_ == replay_show::changes && !why.empty()) ||
                      (show_ == replay_show::elections && about_elections);
  if (!wanted) return false;
  shown_ = true;
  if (as_json_) {
    print_json(step, why);
  } else {
    print(step, why);
  }
  return true;
}

void replay_printer::print(const actors::replay_step& step,
                           const std::vector<actors::explained_change>& why) {
  if (step.after_gap) {
    out_.write(fmt::format("  GAP: inputs are missing here. Goes on as {}\n",
                           state_line(step.before, names_)));
  }
  const std::string what = step.recorded->in ? actors::describe_input(*step.recorded->in, names_)
                                             : std::string("what follows from it");
  out_.write(fmt::format("{:>7}  {}  {:>11}  {}\n", step.number, utc_text(step.unix_us).substr(11),
                         since_text(step.since_last_us), what));
  for (const actors::explained_change& change : why)
    out_.write(fmt::format("           => {}\n", change.text));
  if (step.out) {
    for (const std::string& line : actors::describe_output(*step.out, names_))
      out_.write(fmt::format("           -> {}\n", line));
  }
  if (step.unfinished) out_.write("           the recording ends within this step\n");
  if (!step.mismatch.empty()) out_.write(fmt::format("           MISMATCH: {}\n", step.mismatch));
}

void replay_printer::print_json(const actors::replay_step& step,
                                const std::vector<actors::explained_change>& why) {
  json::object line;
  line["step"] = step.number;
  line["unix_us"] = step.unix_us;
  line["since_last_us"] = step.since_last_us;
  if (step.recorded->in) {
    line["input"] = json::string_view(actors::name_of(*step.recorded->in));
    line["text"] = actors::describe_input(*step.recorded->in, names_);
  } else {
    line["input"] = nullptr;
  }
  json::array outputs;
  if (step.out) {
    for (const std::string& text : actors::describe_output(*step.out, names_))
      outputs.emplace_back(text);
  }
  line["outputs"] = std::move(outputs);
  json::array reasons;
  for (const actors::explained_change& change : why) {
    json::object reason;
    reason["topic"] = json::string_view(name_of(change.topic));
    reason["text"] = change.text;
    reasons.emplace_back(std::move(reason));
  }
  line["why"] = std::move(reasons);
  line["before"] = state_json(step.before, names_);
  line["after"] = state_json(step.after, names_);
  line["after_gap"] = step.after_gap;
  line["unfinished"] = step.unfinished;
  if (step.mismatch.empty()) {
    line["mismatch"] = nullptr;
  } else {
    line["mismatch"] = step.mismatch;
  }
  out_.write(json::serialize(line) + "\n");
}

void replay_printer::end(std::uint64_t steps, const std::string& mismatch, bool unfinished) {
  if (as_json_ || !mismatch.empty()) return;
  out_.write(fmt::format("\n{} steps replayed: in each the core did what it did then{}\n",
                         with_commas(steps),
                         unfinished ? ", but in the last one, from which it never returned" : ""));
}

void replay_printer::nothing_shown(std::uint64_t step_count, std::optional<std::int64_t> first_us,
                                   std::int64_t last_us) {
  const std::string there =
      step_count == 0 ? "the dump holds none"
                      : fmt::format("the dump holds steps 1 to {}", with_commas(step_count));
  std::string why = "--from is behind the last one";
  if (first_us) {
    const std::string_view what =
        show_ == replay_show::elections ? "was about who leads" : "changed anything";
    why = fmt::format("none from {} to {} UTC {}", utc_text(*first_us), utc_text(last_us), what);
  }
  const std::string text = step_count == 0 ? fmt::format("no step is shown: {}\n", there)
                                           : fmt::format("no step is shown: {}; {}\n", why, there);
  if (as_json_) {
    fmt::print(stderr, "cairn: {}", text);
  } else {
    out_.write(text);
  }
}

}  // namespace cairn::cli
