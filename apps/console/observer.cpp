#include "apps/console/observer.hpp"

#include "actors/inspect/inspect_question.hpp"
#include "actors/type_ids.hpp"
#include "apps/console/observer_state.hpp"
#include "apps/peer_hub.hpp"

#include <algorithm>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <csignal>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <random>
#include <thread>

namespace cairn::console {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;
using actors::peer_kind;
using actors::peer_lane;

/// Between two rounds through all addresses.
constexpr milliseconds k_pause_min{50};
constexpr milliseconds k_pause_max{500};
/// The node's own word on why there is no answer has to arrive before we give up waiting.
constexpr milliseconds k_answer_margin_max{100};
/// How old the list of members may be that says whom to dial next.
constexpr std::chrono::seconds k_members_age_max{10};
constexpr milliseconds k_members_deadline{2'000};
/// Questions under way together; a node drops what an observer asks beyond its limit
/// (peer_hub_limits::observer_unread).
constexpr std::size_t k_at_once_max = 32;
constexpr std::string_view k_went_away = "went away, and no time was left to ask another node";

struct system_settings : caf::actor_system_config {
  system_settings() {
    actors::init_type_ids();
    set("caf.scheduler.policy", "sharing");
    set("caf.scheduler.max-threads", 1);
    set("caf.logger.console.verbosity", "quiet");
    set("caf.logger.file.verbosity", "quiet");
  }
};

milliseconds until(clock::time_point end) {
  return std::max(std::chrono::duration_cast<milliseconds>(end - clock::now()), milliseconds(0));
}

/// What `x` is about may be done twice without harm.
bool repeatable(const v1::InspectRequest& x) {
  return !x.has_trace();
}

/// `text` comes from another process and goes to a terminal.
std::string printable(const std::string& text) {
  std::string out = text.substr(0, 2'000);
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  return out;
}

error interrupted() {
  return {errc::unavailable, "interrupted"};
}

errc code_of(std::uint32_t number) {
  // A code of a later version that is not known here says only that something failed.
  const auto code = static_cast<errc>(number);
  return number > UINT8_MAX || to_string(code) == "internal" ? errc::internal : code;
}

}  // namespace

class observer::impl {
public:
  explicit impl(observer_config config) : state(config.interrupted), config_(std::move(config)) {}
  ~impl();
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  status begin();
  /// One round through all addresses.
  status dial_all(clock::time_point end);
  status ensure_link(clock::time_point end);
  std::vector<result<v1::InspectAnswer>> ask_each(std::vector<asked> questions);

  observer_state state;

private:
  using ear = caf::event_based_actor;

  struct waiting {
    result<v1::InspectAnswer>* to;
    v1::InspectRequest question;
    milliseconds deadline;
    clock::time_point end;  // none before it is its turn
    bool done = false;
  };
  void put(std::vector<waiting>& open);
  void hear(const observer_state::node& via, waiting& one);

  [[nodiscard]] std::vector<std::string> candidates() const;
  [[nodiscard]] std::optional<std::string> dial(const std::string& address, clock::time_point end);
  [[nodiscard]] bool send(const std::string& to, const v1::InspectRequest& question);
  void learn_members();

  const observer_config config_;
  system_settings settings_;
  caf::actor_system system_{settings_};
  caf::actor ear_;
  std::unique_ptr<apps::node_peer_hub> hub_;
  // Of the thread that asks.
  bool been_linked_ = false;
  clock::time_point members_asked_{};
  std::string members_asked_of_;
};

// --- begin and end -------------------------------------------------------------------------------

status observer::impl::begin() {
  std::random_device random;
  apps::peer_hub_config hub;
  hub.observes = true;
  hub.node_id = fmt::format("console-{:08x}", random());
  hub.data_id = fmt::format("console-{:08x}{:08x}", random(), random());
  hub.limits.dial = config_.dial;
  hub.limits.hello = config_.dial;
  hub.limits.silence = config_.silence;
  hub.limits.heartbeat = std::min(hub.limits.heartbeat, config_.silence / 4);
  hub.on_dial_failed = [this](const std::string& address, std::string_view why,
                              const std::string& reason) {
    const bool http = why == "not-a-peer";
    state.dial_failed(address,
                      http ? reason + " (is that its HTTP port? Its peer port is needed)" : reason);
  };
  hub.log = config_.log ? config_.log : [](std::string_view) {};
  auto made = apps::make_peer_hub(std::move(hub));
  if (!made) return made.error();
  hub_ = std::move(*made);
  ear_ = system_.spawn([this](ear*) -> caf::behavior {
    return {
        [this](const actors::link_changed& change) {
          const auto surplus = state.link(change);
          if (!surplus.empty()) hub_->forget(surplus);
        },
        [this](const actors::peer_envelope& envelope) { state.answer(envelope); },
    };
  });
  hub_->route(peer_kind::inspect_answer, "", ear_);
  hub_->watch(ear_);
  return {};
}

observer::impl::~impl() {
  if (hub_) hub_->stop();
  if (!ear_) return;
  caf::scoped_actor self{system_};
  self->send_exit(ear_, caf::exit_reason::kill);
  self->wait_for(ear_);
}

// --- the link ------------------------------------------------------------------------------------

/// Whom to dial, each once: the other members first when a link was lost, its own node last.
std::vector<std::string> observer::impl::candidates() const {
  const auto lost = state.lost();
  std::vector<std::string> out;
  const auto add = [&](const std::string& address) {
    if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  };
  if (!lost.id.empty()) {
    for (const auto& [id, address] : state.members())
      if (id != lost.id) add(address);
  }
  for (const auto& address : config_.addresses)
    if (address != lost.address) add(address);
  if (!lost.id.empty()) add(lost.address);
  return out;
}

/// Nothing: there is a link. Otherwise why not.
std::optional<std::string> observer::impl::dial(const std::string& address, clock::time_point end) {
  const auto most = std::min(end, clock::now() + 2 * config_.dial);
  state.begin_dial(address);
  hub_->connect({}, address);
  const auto outcome = state.wait_dial(address, most);
  hub_->forget(address);  // ends the dialling only; it is on us to dial again, and whom
  switch (outcome) {
    case observer_state::dialled::linked:
      return std::nullopt;
    case observer_state::dialled::failed:
      return printable(state.reason(address));
    case observer_state::dialled::late:
      break;
  }
  return fmt::format("{} does not answer", address);
}

status observer::impl::dial_all(clock::time_point end) {
  std::vector<std::string> reasons;
  for (const auto& address : candidates()) {
    if (!reasons.empty() && clock::now() >= end) {
      reasons.push_back(fmt::format("no time was left for {}", address));
      continue;
    }
    if (state.stopped()) return interrupted();
    auto reason = dial(address, end);
    if (!reason) {
      been_linked_ = true;
      return {};
    }
    reasons.push_back(std::move(*reason));
  }
  if (state.stopped()) return interrupted();
  const auto lost = state.lost();
  const auto whom = lost.id.empty() ? std::string("no node answers")
                                    : fmt::format("{} ({}) is gone and no other node answers",
                                                  lost.id, lost.address);
  return error{errc::unavailable, fmt::format("{}: {}", whom, fmt::join(reasons, "; "))};
}

/// Once a cluster has answered, it will again: a node that restarts, or elects, needs a moment.
status observer::impl::ensure_link(clock::time_point end) {
  auto pause = k_pause_min;
  for (;;) {
    if (!state.linked().id.empty()) break;
    const auto done = dial_all(end);
    if (done.ok()) break;
    if (!been_linked_ || until(end) <= pause) return done;
    if (state.stopped()) return done;
    std::this_thread::sleep_for(std::min(pause, until(end)));
    pause = std::min(2 * pause, k_pause_max);
  }
  learn_members();
  return {};
}

/// Asks without waiting; observer_state::answer() keeps what comes.
void observer::impl::learn_members() {
  const auto via = state.linked().id;
  if (via == members_asked_of_ && clock::now() - members_asked_ < k_members_age_max) return;
  members_asked_of_ = via;
  members_asked_ = clock::now();
  v1::InspectRequest question;
  question.set_deadline_ms(static_cast<std::uint32_t>(k_members_deadline.count()));
  question.mutable_members();
  question.set_id(UINT64_MAX);  // of no question that waits
  (void)send(via, question);
}

// --- questions -----------------------------------------------------------------------------------

bool observer::impl::send(const std::string& to, const v1::InspectRequest& question) {
  actors::peer_envelope envelope;
  envelope.kind = peer_kind::inspect;
  envelope.head = shared_bytes::copy_of(as_byte_span(question.SerializeAsString()));
  return hub_->send(to, peer_lane::control, std::move(envelope));
}

/// Puts all that are open to whom is linked, and takes the answers. Those that a lost link leaves
/// stay open, unless they may not be asked twice.
void observer::impl::put(std::vector<waiting>& open) {
  const auto via = state.linked();
  if (via.id.empty()) return;  // gone already
  const std::size_t count = std::min(open.size(), k_at_once_max);
  std::size_t sent = 0;
  for (; sent < count; ++sent) {
    auto& one = open[sent];
    const auto left = until(one.end);
    one.question.set_id(state.begin_question());
    const auto here = left - std::min(left / 10, k_answer_margin_max);
    one.question.set_deadline_ms(
        static_cast<std::uint32_t>(std::max(here, milliseconds(1)).count()));
    if (!send(via.id, one.question)) {
      state.forget(one.question.id());
      break;
    }
  }
  for (std::size_t i = 0; i < sent; ++i)
    hear(via, open[i]);
  std::erase_if(open, [](const waiting& one) { return one.done; });
  if (sent == count || open.empty()) return;
  // The link has broken, and word of that is on its way here; or it has no room at present.
  state.wait_unlinked(via.id, std::min(open.front().end, clock::now() + k_pause_max));
  const bool full = state.linked().id == via.id;
  std::erase_if(open, [&](const waiting& one) {
    if (one.end == clock::time_point{} || clock::now() < one.end) return false;
    *one.to = error{errc::unavailable,
                    fmt::format("{} ({}) {}", via.id, via.address,
                                full ? "has not taken the question: too much waits for it already"
                                     : k_went_away)};
    return true;
  });
}

void observer::impl::hear(const observer_state::node& via, waiting& one) {
  v1::InspectAnswer got;
  const auto outcome = state.wait_answer(one.question.id(), via.id, one.end, got);
  state.forget(one.question.id());
  one.done = true;
  switch (outcome) {
    case observer_state::heard::answered:
      if (got.code() == 0) {
        *one.to = std::move(got);
      } else {
        *one.to = error{code_of(got.code()), printable(got.detail())};
      }
      return;
    case observer_state::heard::late:
      *one.to = interrupted();
      if (state.stopped()) return;
      *one.to = error{errc::unavailable, fmt::format("{} ({}) has not answered within {} ms",
                                                     via.id, via.address, one.deadline.count())};
      return;
    case observer_state::heard::lost:
      break;
  }
  if (!repeatable(one.question)) {
    *one.to = error{errc::outcome_unknown,
                    fmt::format("{} ({}) went away before it answered: nobody knows whether it has "
                                "done what it was asked",
                                via.id, via.address)};
    return;
  }
  *one.to = error{errc::unavailable, fmt::format("{} ({}) {}", via.id, via.address, k_went_away)};
  one.done = clock::now() >= one.end;
}

std::vector<result<v1::InspectAnswer>> observer::impl::ask_each(std::vector<asked> questions) {
  std::vector<result<v1::InspectAnswer>> answers(questions.size(), interrupted());
  std::vector<waiting> open;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    waiting one{&answers[i], std::move(questions[i].question), questions[i].deadline, {}};
    one.question.set_node(questions[i].node);
    const auto size = one.question.ByteSizeLong();
    if (size > actors::k_inspect_question_bytes_max) {
      answers[i] = error{errc::too_large, fmt::format("the question has {} bytes, a node takes {} "
                                                      "at most",
                                                      size, actors::k_inspect_question_bytes_max)};
    } else {
      open.push_back(std::move(one));
    }
  }
  while (!open.empty() && !state.stopped()) {
    // The time of a question runs once it is its turn: those before it may have used up theirs.
    const auto now = clock::now();
    auto latest = now;
    for (std::size_t i = 0; i < std::min(open.size(), k_at_once_max); ++i) {
      if (open[i].end == clock::time_point{}) open[i].end = now + open[i].deadline;
      latest = std::max(latest, open[i].end);
    }
    const auto linked = ensure_link(latest);
    if (!linked) {
      for (auto& one : open)
        *one.to = linked.error();
      break;
    }
    put(open);
  }
  if (state.stopped()) {
    for (auto& one : open)
      *one.to = interrupted();
  }
  return answers;
}

// --- the outside ---------------------------------------------------------------------------------

observer::observer(std::unique_ptr<impl> state) : impl_(std::move(state)) {}
observer::~observer() = default;

result<std::unique_ptr<observer>> observer::start(observer_config config) {
  CAIRN_CHECK(!config.addresses.empty(), "an observer without an address");
  std::signal(SIGPIPE, SIG_IGN);
  auto state = std::make_unique<impl>(std::move(config));
  auto begun = state->begin();
  if (!begun) return begun.error();
  return std::unique_ptr<observer>(new observer(std::move(state)));
}

status observer::connect(std::chrono::milliseconds deadline) {
  if (!impl_->state.linked().id.empty()) return {};
  return impl_->dial_all(clock::now() + deadline);
}

result<v1::InspectAnswer> observer::ask(const std::string& node, v1::InspectRequest question,
                                        std::chrono::milliseconds deadline) {
  return std::move(impl_->ask_each({{node, std::move(question), deadline}}).front());
}

std::vector<result<v1::InspectAnswer>> observer::ask_each(std::vector<asked> questions) {
  return impl_->ask_each(std::move(questions));
}

std::string observer::via() const {
  return impl_->state.linked().id;
}

std::vector<std::string> observer::take_notices() {
  return impl_->state.take_notices();
}

}  // namespace cairn::console
