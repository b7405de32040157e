// The commands of the scripts: words to calls.

#include "tests/unit/raft/script_file.hpp"
#include "tests/unit/raft/script_world.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace cairn::testing {
namespace {

using namespace raft;
using numbers = script_world::numbers;

node_set as_set(numbers of) {
  std::sort(of.begin(), of.end());
  of.erase(std::unique(of.begin(), of.end()), of.end());
  node_set set;
  for (const std::uint64_t n : of)
    set.emplace_back(n);
  return set;
}

/// The next word as the number of a node that runs; 0 with an error in `args` otherwise.
std::uint64_t running(script_world& world, script_args& args, std::string_view what = "a node") {
  const std::uint64_t number = args.number(what);
  if (args.error().empty() && !world.up(number)) {
    args.fail(fmt::format("{}: there is no node {}, or it is down", args.command(), number));
  }
  return args.error().empty() ? number : 0;
}

/// Likewise for several; "all" means all that run.
numbers all_running(script_world& world, script_args& args) {
  if (!args.has_word() || args.flag("all")) return world.all_up();
  numbers list = args.numbers("nodes");
  for (const std::uint64_t n : list) {
    if (!world.up(n)) {
      args.fail(fmt::format("{}: there is no node {}, or it is down", args.command(), n));
    }
  }
  return list;
}

void read_config(script_args& args, core_config& config) {
  const auto ticks = [&args](std::string_view name, std::uint32_t& value) {
    value = static_cast<std::uint32_t>(args.number_option(name, value));
  };
  const auto bytes = [&args](std::string_view name, std::uint64_t& value) {
    value = args.number_option(name, value);
  };
  config.quiesce_after_ticks = 0;
  ticks("election-ticks", config.election_ticks);
  ticks("heartbeat-ticks", config.heartbeat_ticks);
  ticks("disk-stall-ticks", config.disk_stall_ticks);
  ticks("snapshot-retry-ticks", config.snapshot_retry_ticks);
  ticks("quiesce-ticks", config.quiesce_after_ticks);
  ticks("reads-max", config.pending_reads_max);
  bytes("entry-bytes", config.entry_bytes_max);
  bytes("append-bytes", config.append_bytes_max);
  bytes("window-bytes", config.peer_window_bytes);
  bytes("memory-bytes", config.window_bytes_max);
  bytes("uncommitted-bytes", config.uncommitted_bytes_max);
  bytes("unpersisted-bytes", config.unpersisted_bytes_max);
  bytes("promote-lag", config.promote_lag_entries_max);
}

// add-nodes N.. [voters=..] [learners=..] [term=T] [vote=N] [log=terms] [config option=..]
void add_nodes(script_world& world, script_args& args) {
  const numbers nodes = args.numbers("nodes");
  core_config config;
  read_config(args, config);
  script_disk disk;
  const numbers learners = args.numbers_option("learners");
  numbers voters = args.numbers_option("voters");
  const bool member = !args.flag("blank");
  disk.state.term = term_id(args.number_option("term", member ? 1 : 0));
  disk.state.vote = node_id(args.number_option("vote", 0));
  if (member && voters.empty()) voters = nodes;
  if (member) disk.start_config.voters = as_set(voters);
  disk.start_config.learners = as_set(learners);
  for (const std::uint64_t term : args.repeated_option("log")) {
    entry e;
    e.index = disk.last().index.next();
    e.term = term_id(term);
    e.base_offset = disk.offset_after(disk.last().index);
    e.record_count = 1;
    if (e.term < disk.last().term) args.fail("add-nodes: terms fall in the log");
    disk.entries.push_back(std::move(e));
  }
  disk.state.term = std::max(disk.state.term, disk.last().term);
  if (const auto valid = validate(disk.start_config); !valid) args.fail(valid.error().detail);
  for (const std::uint64_t n : nodes) {
    if (n == 0 || world.find(n) != nullptr) args.fail(fmt::format("add-nodes: no second {}", n));
  }
  if (config.heartbeat_ticks == 0 || config.election_ticks <= 2 * config.heartbeat_ticks) {
    args.fail("add-nodes: election-ticks must be more than twice heartbeat-ticks");
  }
  if (!args.all_read()) return;
  for (const std::uint64_t n : nodes) {
    config.self = node_id(n);
    world.add(config, disk);
  }
}

// tick N.. [COUNT]
void tick(script_world& world, script_args& args) {
  const numbers nodes = all_running(world, args);
  const std::uint64_t count = args.has_word() ? args.number("how often") : 1;
  if (!args.all_read()) return;
  for (const std::uint64_t n : nodes)
    world.tick(n, count);
}

// tick-heartbeat N..
void tick_heartbeat(script_world& world, script_args& args) {
  const numbers nodes = all_running(world, args);
  if (!args.all_read()) return;
  for (const std::uint64_t n : nodes)
    world.tick(n, world.find(n)->config.heartbeat_ticks);
}

// tick-election N..: long enough for a follower to give up its leader, not for it to campaign
void tick_election(script_world& world, script_args& args) {
  const numbers nodes = all_running(world, args);
  if (!args.all_read()) return;
  for (const std::uint64_t n : nodes)
    world.tick(n, world.find(n)->config.election_ticks);
}

// campaign N..: ticks until it asks for pre-votes
void campaign(script_world& world, script_args& args) {
  const numbers nodes = all_running(world, args);
  if (!args.all_read()) return;
  for (const std::uint64_t n : nodes) {
    if (!world.campaign(n)) return args.fail(fmt::format("campaign: {} does not", n));
  }
}

// propose N TEXT [bytes=B] [records=R] [time=MS] [control]
void propose_one(script_world& world, script_args& args) {
  const std::uint64_t n = running(world, args);
  propose in;
  in.kind = args.flag("control") ? entry_kind::control : entry_kind::data;
  const std::string text = args.word("a text");
  const std::uint64_t size_bytes = args.number_option("bytes", text.size());
  in.record_count =
      static_cast<std::uint32_t>(args.number_option("records", in.kind == entry_kind::data));
  in.timestamp_ms = static_cast<unix_ms>(args.number_option("time", 0));
  if (size_bytes > k_mib_bytes) args.fail("propose: bytes beyond 1 MiB");
  if (!args.all_read()) return;
  std::string payload = text;
  payload.resize(size_bytes, '.');
  in.id = proposal_id(++world.last_proposal);
  in.payload = shared_bytes::copy_of(as_byte_span(payload));
  world.step(n, fmt::format("{} proposes {}", n, in.id.value()), std::move(in));
}

// propose-config N [voters=..] [learners=..] [remove=..]
void propose_config(script_world& world, script_args& args) {
  const std::uint64_t n = running(world, args);
  change_membership in;
  const auto add = [&in](member_change::action what, const numbers& nodes) {
    for (const std::uint64_t node : nodes)
      in.changes.push_back({what, node_id(node)});
  };
  add(member_change::action::add_voter, args.numbers_option("voters"));
  add(member_change::action::add_learner, args.numbers_option("learners"));
  add(member_change::action::remove, args.numbers_option("remove"));
  if (!args.all_read()) return;
  in.id = proposal_id(++world.last_proposal);
  world.step(n, fmt::format("{} proposes {}", n, in.id.value()), std::move(in));
}

// transfer-leader N TARGET
void transfer_leader(script_world& world, script_args& args) {
  const std::uint64_t n = running(world, args);
  const std::uint64_t target = args.number("a target");
  if (args.all_read()) world.step(n, "", transfer_leadership{node_id(target)});
}

// read-index N
void read(script_world& world, script_args& args) {
  const std::uint64_t n = running(world, args);
  if (!args.all_read()) return;
  const read_id id(++world.last_read);
  world.step(n, fmt::format("{} reads {}", n, id.value()), read_index{id});
}

// persist N..
void persist(script_world& world, script_args& args) {
  const numbers nodes = all_running(world, args);
  if (!args.all_read()) return;
  for (const std::uint64_t n : nodes) {
    if (!world.persist(n)) return args.fail(fmt::format("persist: {} writes nothing", n));
  }
}

// persist-failed N
void persist_fails(script_world& world, script_args& args) {
  const std::uint64_t n = running(world, args);
  if (args.all_read()) world.step(n, "", persist_failed{});
}

// load N [failed]
void load(script_world& world, script_args& args) {
  const std::uint64_t n = running(world, args);
  const bool failed = args.flag("failed");
  if (!args.all_read()) return;
  if (!world.load(n, failed)) args.fail(fmt::format("load: {} has asked for nothing", n));
}

// snapshot N [LAST]
void snapshot_of(script_world& world, script_args& args) {
  const std::uint64_t n = running(world, args);
  const std::uint64_t last = args.has_word() ? args.number("an index") : 0;
  if (!args.all_read()) return;
  const core_status s = world.find(n)->core->status();
  if (last != 0 && (log_index(last) > s.visible || log_index(last) < s.start.index)) {
    return args.fail(fmt::format("snapshot: {} is not visible, or gone", last));
  }
  if (!world.snapshot(n, last)) args.fail(fmt::format("snapshot: {} has asked for nothing", n));
}

// compact N LAST
void compact(script_world& world, script_args& args) {
  const std::uint64_t n = running(world, args);
  const std::uint64_t last = args.number("an index");
  if (!args.all_read()) return;
  const core_status s = world.find(n)->core->status();
  if (log_index(last) <= s.start.index || log_index(last) > s.visible) {
    return args.fail(fmt::format("compact: {} is not visible, or gone", last));
  }
  world.compact(n, last);
}

// crash N.. [written]
void crash(script_world& world, script_args& args) {
  const numbers nodes = args.flag("all") ? world.all_up() : args.numbers("nodes");
  const bool written = args.flag("written");
  if (!args.all_read()) return;
  for (const std::uint64_t n : nodes) {
    if (!world.up(n)) return args.fail(fmt::format("crash: {} does not run", n));
    world.crash(n, written);
  }
}

// restart N..
void restart(script_world& world, script_args& args) {
  const numbers nodes = args.numbers("nodes");
  if (!args.all_read()) return;
  for (const std::uint64_t n : nodes) {
    if (world.find(n) == nullptr) return args.fail(fmt::format("restart: there is no node {}", n));
    if (world.up(n)) return args.fail(fmt::format("restart: {} runs", n));
    world.restart(n);
  }
}

// report-unreachable N PEER, report-reachable N PEER
void report(script_world& world, script_args& args) {
  const bool reachable = args.command() == "report-reachable";
  const std::uint64_t n = running(world, args);
  const std::uint64_t peer = args.number("a peer");
  if (args.all_read()) world.step(n, "", peer_reachable{node_id(peer), reachable});
}

// wake N
void wake_node(script_world& world, script_args& args) {
  const std::uint64_t n = running(world, args);
  if (args.all_read()) world.step(n, "", wake{});
}

// deliver|drop|duplicate|reverse [FROM->TO] [type=..] [skip=..] [count=..]; either end may be
// missing. A bare "drop" means whatever there is, also nothing.
void move_messages(script_world& world, script_args& args) {
  script_filter which;
  const bool clear = args.command() == "drop" && !args.has_word();
  if (args.has_word()) {
    const std::string ends = args.word("FROM->TO");
    const std::size_t arrow = ends.find("->");
    if (arrow == std::string::npos) return args.fail(args.command() + ": FROM->TO, 1-> or ->2");
    script_args two(fmt::format("ends {} {}", ends.substr(0, arrow), ends.substr(arrow + 2)));
    if (arrow > 0) which.from = two.number("a node");
    if (two.has_word()) which.to = two.number("a node");
    if (!two.all_read()) return args.fail(fmt::format("{}: {}", args.command(), two.error()));
  }
  which.type = args.option("type").value_or("");
  which.skip = args.number_option("skip", 0);
  which.count = args.number_option("count", which.count);
  if (!args.all_read()) return;
  std::size_t moved = 0;
  if (args.command() == "deliver") moved = world.deliver(which);
  if (args.command() == "drop") moved = world.drop(which);
  if (args.command() == "duplicate") moved = world.duplicate(which);
  if (args.command() == "reverse") moved = world.reverse(which);
  if (moved == 0 && !clear) args.fail(args.command() + ": there is no such message");
}

// stabilize [N..]
void stabilize(script_world& world, script_args& args) {
  const numbers nodes = all_running(world, args);
  if (!args.all_read()) return;
  if (!world.stabilize(nodes)) args.fail("stabilize: there is no end");
}

// status [N..], log [N..], messages
void show(script_world& world, script_args& args) {
  if (args.command() == "messages") {
    if (args.all_read()) world.print_messages();
    return;
  }
  const numbers nodes = all_running(world, args);
  if (!args.all_read()) return;
  for (const std::uint64_t n : nodes)
    args.command() == "log" ? world.print_log(n) : world.print_status(n);
}

// quiet, verbose
void set_quiet(script_world& world, script_args& args) {
  if (args.all_read()) world.quiet = args.command() == "quiet";
}

struct known_command {
  std::string_view name;
  void (*run)(script_world&, script_args&);
};

constexpr std::array k_commands = {
    known_command{"add-nodes", add_nodes},
    known_command{"tick", tick},
    known_command{"tick-heartbeat", tick_heartbeat},
    known_command{"tick-election", tick_election},
    known_command{"campaign", campaign},
    known_command{"propose", propose_one},
    known_command{"propose-config", propose_config},
    known_command{"transfer-leader", transfer_leader},
    known_command{"read-index", read},
    known_command{"persist", persist},
    known_command{"persist-failed", persist_fails},
    known_command{"load", load},
    known_command{"snapshot", snapshot_of},
    known_command{"compact", compact},
    known_command{"crash", crash},
    known_command{"restart", restart},
    known_command{"report-unreachable", report},
    known_command{"report-reachable", report},
    known_command{"wake", wake_node},
    known_command{"deliver", move_messages},
    known_command{"drop", move_messages},
    known_command{"duplicate", move_messages},
    known_command{"reverse", move_messages},
    known_command{"stabilize", stabilize},
    known_command{"status", show},
    known_command{"log", show},
    known_command{"messages", show},
    known_command{"quiet", set_quiet},
    known_command{"verbose", set_quiet},
};

}  // namespace

status run_command(script_world& world, std::string_view line) {
  script_args args(line);
  const auto known = std::find_if(k_commands.begin(), k_commands.end(), [&](const auto& candidate) {
    return candidate.name == args.command();
  });
  if (known == k_commands.end()) {
    return error{errc::invalid_argument, fmt::format("unknown command \"{}\"", args.command())};
  }
  known->run(world, args);
  if (!args.error().empty()) return error{errc::invalid_argument, args.error()};
  return {};
}

}  // namespace cairn::testing
