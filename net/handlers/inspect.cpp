#include "net/handlers/inspect.hpp"

#include "net/handlers/describe_json.hpp"
#include "net/http/json_out.hpp"

#include <fmt/format.h>
#include <map>
#include <memory>
#include <set>

namespace cairn::net {

namespace {

constexpr std::size_t k_node_id_bytes_max = 128;

/// Asks this node who is a member, then all of them at once, and answers when the last has
/// answered or has run out of time. Owned by its exchange: what is still asked is forgotten with
/// it.
class gathering final : public body_stream {
public:
  gathering(exchange& x, v1::InspectRequest question, inspect_writer write)
      : x_(x), port_(x.context().port), question_(std::move(question)), write_(std::move(write)) {}
  ~gathering() override {
    for (const auto id : open_)
      port_->cancel(id);
  }
  gathering(const gathering&) = delete;
  gathering& operator=(const gathering&) = delete;

  void start() {
    v1::InspectRequest who;
    who.mutable_members();
    const auto id = std::make_shared<request_id>(0);
    *id = port_->inspect(who, k_inspect_deadline, [this, id](outcome<inspect_answer> got) {
      open_.erase(*id);
      on_members(got);
    });
    open_.insert(*id);
  }

  void resume(exchange&) override {}
  void drain(exchange& x) override {
    x.fail(failure{.code = errc::unavailable, .detail = "the node is stopping"});
  }

private:
  void on_members(const outcome<inspect_answer>& got) {
    if (x_.status != 0) return;  // it has been answered meanwhile: too late, or the gateway ends
    if (const auto* failed = std::get_if<failure>(&got)) return x_.fail(*failed);
    for (const auto& member : std::get<inspect_answer>(got).what->members().members())
      parts_[member.id()];
    for (const auto& [node, part] : parts_)
      ask(node);
    if (open_.empty()) finish();
  }

  void ask(const std::string& node) {
    auto question = question_;
    question.set_node(node);
    const auto id = std::make_shared<request_id>(0);
    *id = port_->inspect(std::move(question), k_inspect_deadline,
                         [this, id, node](const outcome<inspect_answer>& got) {
                           open_.erase(*id);
                           on_answer(node, got);
                         });
    open_.insert(*id);
  }

  void on_answer(const std::string& node, const outcome<inspect_answer>& got) {
    if (x_.status != 0) return;
    auto& text = parts_[node];
    text = "{";
    if (const auto* failed = std::get_if<failure>(&got)) {
      append_json_key(text, "node");
      append_json_lossy(text, node);
      append_json_key(text, "error");
      text += to_json(problem_of(*failed, x_.parameters.log), write_outcome::not_a_write);
      text.pop_back();  // its end of line
    } else {
      write_(text, *std::get<inspect_answer>(got).what);
    }
    text += '}';
    if (open_.empty()) finish();
  }

  void finish() {
    std::string text = "{\"nodes\":[";
    for (const auto& [node, part] : parts_) {
      if (!text.ends_with('[')) text += ',';
      text += part;
    }
    text += "]}\n";
    x_.settled();
    x_.answer(200, k_json_type, text);
  }

  exchange& x_;
  backend_port* port_;
  v1::InspectRequest question_;
  inspect_writer write_;
  std::set<request_id> open_;
  std::map<std::string, std::string> parts_;  // by node: its object
};

}  // namespace

std::optional<problem> take_scope(exchange& x, query_reader& query) {
  const auto node = query.take("node");
  if (node && (node->empty() || node->size() > k_node_id_bytes_max)) {
    return bad_argument(fmt::format("query parameter 'node' has {} bytes, not 1 to {}",
                                    node->size(), k_node_id_bytes_max));
  }
  if (node) x.parameters.node = *node;
  const auto cluster = query.take("cluster");
  if (!cluster || *cluster == "false") return std::nullopt;
  if (*cluster != "true") {
    return bad_argument(
        fmt::format("query parameter 'cluster' is '{}', neither 'true' nor 'false'", *cluster));
  }
  if (node) return bad_argument("query parameters 'node' and 'cluster' exclude each other");
  x.parameters.whole_cluster = true;
  return std::nullopt;
}

void answer_inspection(exchange& x, v1::InspectRequest question, inspect_writer write) {
  // The node keeps to its own deadline; this one is for a node that does not.
  x.deadline = x.context().now + 2 * k_inspect_deadline + x.context().limits->backend_grace;
  question.set_log(x.parameters.log);
  if (x.parameters.whole_cluster) {
    auto all = std::make_unique<gathering>(x, std::move(question), write);
    auto* const begun = all.get();
    x.stream = std::move(all);
    return begun->start();
  }
  question.set_node(x.parameters.node);
  exchange* const waiting = &x;
  x.pending = x.context().port->inspect(std::move(question), k_inspect_deadline,
                                        [waiting, write](const outcome<inspect_answer>& got) {
                                          waiting->settled();
                                          if (const auto* failed = std::get_if<failure>(&got))
                                            return waiting->fail(*failed);
                                          std::string text = "{";
                                          write(text, *std::get<inspect_answer>(got).what);
                                          text += "}\n";
                                          waiting->answer(200, k_json_type, text);
                                        });
}

}  // namespace cairn::net
