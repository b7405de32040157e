#include "tests/unit/raft/script_world.hpp"

#include "actors/raft/invariants.hpp"
#include "tests/unit/raft/script_print.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace cairn::testing {

using namespace raft;

namespace {

constexpr int k_rounds_max = 1000;

bool matches(const script_filter& which, const message& m) {
  return (which.from == 0 || m.from == node_id(which.from)) &&
         (which.to == 0 || m.to == node_id(which.to)) &&
         (which.type.empty() || name_of(m.body) == which.type);
}

}  // namespace

script_node* script_world::find(std::uint64_t number) {
  const auto found = nodes_.find(number);
  return found == nodes_.end() ? nullptr : &found->second;
}

bool script_world::up(std::uint64_t number) {
  const script_node* node = find(number);
  return node != nullptr && node->core != nullptr;
}

script_world::numbers script_world::all_up() {
  numbers up;
  for (const auto& [number, node] : nodes_) {
    if (node.core) up.push_back(number);
  }
  return up;
}

void script_world::line(std::string_view text) {
  if (!quiet) output_ += fmt::format("{}\n", text);
}

void script_world::add(const core_config& config, script_disk disk) {
  script_node& node = nodes_[config.self.value()];
  node.config = config;
  node.disk = std::move(disk);
  restart(config.self.value());
}

void script_world::step(std::uint64_t number, std::string_view what, input in) {
  script_node& node = nodes_.at(number);
  const core_status before = node.core->status();
  node.core->step(std::move(in));
  take(number, what);
  check(node, before);
}

void script_world::take(std::uint64_t number, std::string_view what) {
  script_node& node = nodes_.at(number);
  ready r = node.core->take_ready();
  if (!what.empty()) line(what);
  std::string effects = print(r);
  for (std::size_t end = effects.find('\n'); !effects.empty(); end = effects.find('\n')) {
    line("  " + effects.substr(0, end));
    effects.erase(0, end + 1);
  }
  for (message& m : r.messages)
    network_.push_back(std::move(m));
  std::move(r.loads.begin(), r.loads.end(), std::back_inserter(node.loads));
  std::move(r.snapshots.begin(), r.snapshots.end(), std::back_inserter(node.snapshots));
  if (!r.persist) return;
  if (node.writing) broken_ += fmt::format("node {} writes twice at once\n", number);
  node.writing = std::move(r.persist);
}

void script_world::check(const script_node& node, const core_status& before) {
  const core_status after = node.core->status();
  for (const std::string& broken :
       {broken_invariant(after, node.config), broken_transition(before, after)}) {
    if (!broken.empty()) broken_ += fmt::format("node {}: {}\n", after.self.value(), broken);
  }
  check_group(after, *node.core);
}

// Paper, figure 3: one leader a term, and no two nodes differ in what is committed.
void script_world::check_group(const core_status& now, const core& core) {
  if (now.as == role::leader) {
    const node_id leader = leaders_.emplace(now.term, now.self).first->second;
    if (leader != now.self) {
      broken_ += fmt::format("nodes {} and {} lead in term {}\n", leader.value(), now.self.value(),
                             now.term.value());
    }
  }
  for (log_index i = now.start.index.next(); i <= now.commit; i = i.next()) {
    const term_id term = *core.log().term_of(i);
    if (committed_.emplace(i, term).first->second == term) continue;
    broken_ += fmt::format("node {}: entry {} differs from the one that was committed\n",
                           now.self.value(), print(log_position{i, term}));
  }
}

// Says at which of the command's ticks something happened.
void script_world::tick_one(std::uint64_t number, std::uint64_t count) {
  const std::string before = std::exchange(output_, {});
  step(number, "", raft::tick{});
  const std::string effects = std::exchange(output_, before);
  if (effects.empty()) return;
  line(fmt::format("{} ticks ({})", number, count));
  output_ += effects;
}

void script_world::tick(std::uint64_t number, std::uint64_t count) {
  for (std::uint64_t i = 1; i <= count; ++i)
    tick_one(number, i);
}

bool script_world::campaign(std::uint64_t number) {
  script_node& node = nodes_.at(number);
  const std::uint32_t ticks_max = 2 * node.config.election_ticks;
  for (std::uint32_t i = 1; i <= ticks_max && node.core->as() == role::follower; ++i)
    tick_one(number, i);
  return node.core->as() != role::follower;
}

bool script_world::persist(std::uint64_t number) {
  script_node& node = nodes_.at(number);
  if (!node.writing) return false;
  const persist_batch batch = std::move(*node.writing);
  node.writing.reset();
  node.disk.write(batch);
  step(number, fmt::format("{} wrote #{}", number, batch.ticket.value()),
       persist_done{batch.ticket});
  return true;
}

bool script_world::load(std::uint64_t number, bool fail) {
  script_node& node = nodes_.at(number);
  const auto asked = std::exchange(node.loads, {});
  for (const load_request& request : asked) {
    entries_loaded answer{request.peer, request.request, {}};
    std::uint64_t used_bytes = 0;
    for (const entry& e : node.disk.entries) {
      if (fail || e.index < request.first || e.index >= request.last) continue;
      used_bytes += e.size_bytes();
      if (!answer.entries.empty() && used_bytes > request.bytes_max) break;
      answer.entries.push_back(e);
    }
    const std::string what =
        fmt::format("{} loaded #{}: {} entries", number, request.request, answer.entries.size());
    step(number, what, std::move(answer));
  }
  return !asked.empty();
}

bool script_world::snapshot(std::uint64_t number, std::uint64_t last) {
  script_node& node = nodes_.at(number);
  const auto asked = std::exchange(node.snapshots, {});
  for (const snapshot_needed& request : asked) {
    const log_index index = last == 0 ? node.core->status().visible : log_index(last);
    raft::snapshot content;
    content.last = {index, *node.core->log().term_of(index)};
    content.next_offset = node.disk.offset_after(index);
    content.config = node.core->configs().at(index);
    content.state = shared_bytes::copy_of(as_byte_span(fmt::format("to {}", index.value())));
    step(number, fmt::format("{} made snapshot #{}", number, request.request),
         snapshot_available{request.peer, request.request, std::move(content)});
  }
  return !asked.empty();
}

void script_world::compact(std::uint64_t number, std::uint64_t last_removed) {
  script_node& node = nodes_.at(number);
  const log_index last(last_removed);
  node.disk.trim(last, node.core->configs().at(last));
  step(number, fmt::format("{} removed entries to {}", number, last_removed),
       log_trimmed{last, node.disk.start_offset});
}

void script_world::crash(std::uint64_t number, bool written) {
  script_node& node = nodes_.at(number);
  if (node.writing && written) node.disk.write(*node.writing);
  node.writing.reset();
  node.loads.clear();
  node.snapshots.clear();
  node.core.reset();
}

// Each start has another random number, but the same timeout.
void script_world::restart(std::uint64_t number) {
  script_node& node = nodes_.at(number);
  node.random = std::make_unique<script_random>(number + 100 * node.starts++);
  node.core = std::make_unique<core>(node.config, node.disk.boot(), *node.random);
  const core_status before = node.core->status();
  take(number, "");
  check(node, before);
}

std::vector<std::size_t> script_world::select(const script_filter& which) const {
  std::vector<std::size_t> selected;
  std::uint64_t skipped = 0;
  for (std::size_t i = 0; i < network_.size() && selected.size() < which.count; ++i) {
    if (matches(which, network_[i]) && ++skipped > which.skip) selected.push_back(i);
  }
  return selected;
}

std::vector<message> script_world::extract(const std::vector<std::size_t>& which) {
  std::vector<message> taken;
  for (const std::size_t i : which)
    taken.push_back(std::move(network_[i]));
  for (auto i = which.rbegin(); i != which.rend(); ++i)
    network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(*i));
  return taken;
}

void script_world::deliver_one(message m) {
  const std::uint64_t to = m.to.value();
  const std::string text = print(m);
  if (!up(to)) return line(fmt::format("lost {}: {} is down", text, to));
  step(to, "got " + text, std::move(m));
}

std::size_t script_world::deliver(const script_filter& which) {
  std::vector<message> taken = extract(select(which));
  for (message& m : taken)
    deliver_one(std::move(m));
  return taken.size();
}

std::size_t script_world::drop(const script_filter& which) {
  const std::vector<message> taken = extract(select(which));
  for (const message& m : taken)
    line("lost " + print(m));
  return taken.size();
}

std::size_t script_world::duplicate(const script_filter& which) {
  const std::vector<std::size_t> selected = select(which);
  for (const std::size_t i : selected) {
    network_.push_back(message(network_[i]));
    line("twice " + print(network_[i]));
  }
  return selected.size();
}

std::size_t script_world::reverse(const script_filter& which) {
  const std::vector<std::size_t> selected = select(which);
  for (std::size_t a = 0, b = selected.size(); a + 1 < b; ++a, --b)
    std::swap(network_[selected[a]], network_[selected[b - 1]]);
  for (const std::size_t i : selected)
    line("now " + print(network_[i]));
  return selected.size();
}

bool script_world::stabilize(const numbers& among) {
  for (int round = 0; round < k_rounds_max; ++round) {
    bool busy = false;
    for (const std::uint64_t number : among) {
      if (up(number)) {
        busy = persist(number) || busy;
        busy = load(number, false) || busy;
        busy = snapshot(number, 0) || busy;
      }
      script_filter which;
      which.to = number;
      busy = deliver(which) > 0 || busy;
    }
    if (!busy) return true;
  }
  return false;
}

void script_world::print_messages() {
  for (const message& m : network_)
    line(print(m));
}

void script_world::print_log(std::uint64_t number) {
  const script_node& node = nodes_.at(number);
  if (!node.core) return line(fmt::format("{} is down", number));
  const log_view& log = node.core->log();
  std::string terms;
  for (log_index i = log.start().index.next(); i <= log.last_index(); i = i.next())
    terms += fmt::format(" {}", log.term_of(i)->value());
  line(fmt::format("{} after {}:{} | commit {} durable {}", number, print(log.start()), terms,
                   node.core->commit_index().value(), node.core->status().durable.value()));
}

void script_world::print_status(std::uint64_t number) {
  const script_node& node = nodes_.at(number);
  if (!node.core) return line(fmt::format("{} is down", number));
  if (!quiet) output_ += print(node.core->status());
}

}  // namespace cairn::testing
