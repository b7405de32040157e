#include "actors/entry_times.hpp"

#include <algorithm>
#include <utility>

namespace cairn::actors {
namespace {

std::uint64_t between(std::uint64_t from_ns, std::uint64_t to_ns) {
  return to_ns > from_ns ? to_ns - from_ns : 0;
}

}  // namespace

entry_times::entry_times(std::shared_ptr<append_times> times)
    : times_(std::move(times)), counts_(times_->open()) {}

void entry_times::lead(term_id term, raft::node_id self, const raft::configuration& members,
                       const std::function<std::string(raft::node_id)>& name_of) {
  if (ring_.empty()) ring_.resize(k_entries_max);
  const bool anew = !leads_ || term != term_;
  if (anew) {
    peers_.clear();
    newest_ = committed_ = published_ = answered_ = log_index{};
    for (element& e : ring_)
      e.entry.index = log_index{};
  }
  leads_ = true;
  term_ = term;
  std::vector<peer> before = std::exchange(peers_, {});
  std::array<bool, k_peers_max> taken{};
  for (const raft::node_id node : members.members()) {
    if (node == self) continue;
    const auto known = std::find_if(before.begin(), before.end(),
                                    [node](const peer& p) { return p.node == node; });
    peer& now = known == before.end() ? peers_.emplace_back() : peers_.emplace_back(*known);
    now.node = node;
    now.voter = members.is_voter(node);
    if (now.column < k_peers_max) taken[now.column] = true;
    if (!now.counts) {
      const std::string name = name_of(node);
      if (!name.empty()) now.counts = times_->open_peer(name);
    }
  }
  for (peer& p : peers_) {
    if (p.column < k_peers_max) continue;
    const auto free = std::find(taken.begin(), taken.end(), false);
    if (free == taken.end()) break;
    p.column = static_cast<std::size_t>(free - taken.begin());
    *free = true;
    for (element& e : ring_)
      e.peers[p.column] = {};
  }
  acks_needed_ = static_cast<std::uint32_t>(members.voters.size() / 2);
}

void entry_times::follow() {
  leads_ = false;
}

entry_times::peer* entry_times::find_peer(raft::node_id node) {
  const auto found =
      std::find_if(peers_.begin(), peers_.end(), [node](const peer& p) { return p.node == node; });
  return found == peers_.end() ? nullptr : &*found;
}

// The elements of (after, last] that this lead has proposed, as far as the ring reaches.
template <class F>
void entry_times::each(log_index after, log_index last, F visit) {
  if (!leads_) return;
  const std::uint64_t end = std::min(last, newest_).value();
  const std::uint64_t reach = newest_.value() > k_entries_max ? newest_.value() - k_entries_max : 0;
  for (std::uint64_t i = std::max(after.value(), reach) + 1; i <= end; ++i) {
    element& e = ring_[i % k_entries_max];
    if (e.entry.index.value() == i && e.term == term_) visit(e);
  }
}

void entry_times::proposed(const std::vector<proposed_entry>& entries, std::uint64_t now_ns) {
  if (!leads_) return;
  for (const proposed_entry& entry : entries) {
    element& e = ring_[entry.index.value() % k_entries_max];
    e = {};
    e.entry = entry;
    e.term = term_;
    e.proposed_ns = now_ns;
    newest_ = entry.index;
  }
}

void entry_times::sent(raft::node_id to, log_index first, log_index last, std::uint64_t now_ns) {
  const peer* p = find_peer(to);
  if (p == nullptr || p->column >= k_peers_max || first.value() == 0) return;
  each(log_index(first.value() - 1), last, [&](element& e) {
    peer_times& way = e.peers[p->column];
    if (way.sent_ns == 0) way.sent_ns = now_ns;
  });
}

void entry_times::persisted(log_index first, log_index last, const write_times& write) {
  if (first.value() == 0) return;
  std::uint64_t appends = 0;
  each(log_index(first.value() - 1), last, [&](element& e) {
    e.write = write;
    appends += e.entry.appends;
  });
  counts_->of(append_stage::write).add(between(write.begun_ns, write.written_ns), appends);
  counts_->of(append_stage::sync).add(between(write.written_ns, write.synced_ns), appends);
}

void entry_times::acknowledged(raft::node_id from, log_index index, std::uint64_t now_ns) {
  peer* p = leads_ ? find_peer(from) : nullptr;
  if (p == nullptr || index <= p->acked) return;
  each(p->acked, index, [&](element& e) {
    const std::uint64_t took_ns = between(e.proposed_ns, now_ns);
    if (p->column < k_peers_max) e.peers[p->column].acked_ns = now_ns;
    if (p->counts) p->counts->add(took_ns, e.entry.appends);
    if (!p->voter || ++e.acks != acks_needed_) return;
    e.quorum_ns = now_ns;
    counts_->of(append_stage::replicate).add(took_ns, e.entry.appends);
  });
  p->acked = index;
}

void entry_times::committed(log_index index, std::uint64_t now_ns) {
  if (!leads_ || index <= committed_) return;
  each(committed_, index, [&](element& e) {
    e.committed_ns = now_ns;
    counts_->of(append_stage::commit).add(between(e.proposed_ns, now_ns), e.entry.appends);
  });
  committed_ = index;
}

void entry_times::published(log_index index, std::uint64_t now_ns) {
  if (!leads_ || index <= published_) return;
  each(published_, index, [&](element& e) { e.published_ns = now_ns; });
  published_ = index;
}

void entry_times::answered(log_index index, std::uint64_t now_ns) {
  if (!leads_ || index <= answered_) return;
  each(answered_, index, [&](element& e) {
    if (e.committed_ns == 0) return;
    e.answered_ns = now_ns;
    counts_->of(append_stage::answer).add(between(e.committed_ns, now_ns), e.entry.appends);
  });
  answered_ = index;
}

std::optional<entry_way> entry_times::way_of(log_index index, term_id term) const {
  if (ring_.empty()) return std::nullopt;
  const element& e = ring_[index.value() % k_entries_max];
  if (e.entry.index != index || e.term != term || index.value() == 0) return std::nullopt;
  entry_way out{e.entry,        e.term,         e.proposed_ns, e.write, e.quorum_ns,
                e.committed_ns, e.published_ns, e.answered_ns, {}};
  for (const peer& p : peers_) {
    if (p.column >= k_peers_max) continue;
    out.peers.push_back({p.node, e.peers[p.column].sent_ns, e.peers[p.column].acked_ns});
  }
  return out;
}

}  // namespace cairn::actors
