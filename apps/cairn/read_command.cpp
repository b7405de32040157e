// cairn read and cairn tail.
#include "apps/cairn/choice.hpp"
#include "apps/cairn/commands.hpp"
#include "apps/cairn/numbers.hpp"
#include "apps/cairn/progress_bar.hpp"
#include "apps/cairn/record_printer.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <unistd.h>

namespace cairn::cli {

namespace {

constexpr std::uint64_t k_page_records = 10'000;
constexpr std::uint64_t k_no_limit = ~std::uint64_t{0};

struct read_options {
  std::string log = "default";
  std::string from = "earliest";
  std::string from_time;
  std::uint64_t limit = k_no_limit;
  print_format format = print_format::ndjson;
};

struct tail_options {
  std::string log = "default";
  std::string from;
  std::uint64_t count = 10;
  bool follow = false;
  print_format format = print_format::ndjson;
};

std::optional<net::read_from> parse_from(std::string_view from, std::string_view time) {
  net::read_from start;
  if (!time.empty()) {
    start.time = std::string(time);
  } else if (from == "latest") {
    start.latest = true;
  } else if (from != "earliest") {
    std::uint64_t offset = 0;
    const auto [end, failure] = std::from_chars(from.data(), from.data() + from.size(), offset);
    if (failure != std::errc() || end != from.data() + from.size()) return std::nullopt;
    start.offset = offset;
  }
  return start;
}

// Reads page after page, up to the end that the log has when it begins. The first page asks the
// leader for that end, so that all which anybody was told to be stored is there. Without a leader
// it is what the node has, and that is said.
class reading {
public:
  reading(net::log_client& client, const global_options& global, print_format format)
      : client_(client),
        global_(global),
        printer_(format, out_),
        retries_(global.retry_s),
        bar_(!global.quiet && ::isatty(STDOUT_FILENO) != 1) {}

  int run(const std::string& log, net::read_from start, std::uint64_t limit) {
    std::optional<std::uint64_t> end;
    while (count_ < limit && !(end && start.offset && *start.offset >= *end && count_ > 0)) {
      net::read_call call;
      call.log = log;
      call.from = start;
      call.limit = std::min(limit - count_, k_page_records);
      call.linearizable = !end && !without_leader_;
      const auto before = count_;
      const auto page = client_.read(call, [&](std::string_view line) { return take(line); });
      if (broken_) return failed(*broken_);
      if (count_ > before) {
        const auto last = reader_.parse(last_line_);
        if (!last) return failed(last.error());
        start = net::read_from{last->offset + 1, std::nullopt, false};
        retries_.succeeded();
      }
      if (!page && !goes_on(page.error())) return failed(page.error());
      if (page && !end) end = client_.end_seen();
      if (page && *page == 0) break;
    }
    bar_.clear();
    printer_.finish();
    return exit_ok;
  }

private:
  bool take(std::string_view line) {
    ++count_;
    bytes_ += line.size();
    last_line_ = line;
    if (auto good = printer_.print(line); !good) broken_ = good.error();
    bar_.update({count_, bytes_, std::nullopt});
    return !broken_;
  }

  bool goes_on(const error& why) {
    if (retries_.wait(client_.failure())) return true;
    const auto& refused = client_.failure().refused;
    const bool no_leader = refused && (refused->status == 503 || refused->status == 504);
    if (!no_leader || without_leader_ || count_ > 0) return false;
    without_leader_ = true;
    bar_.clear();
    print_error(why.detail + "; these are the records that one node has");
    return true;
  }

  int failed(const error& why) {
    bar_.clear();
    out_.flush();
    return report_failure(client_, why, global_);
  }

  net::log_client& client_;
  const global_options& global_;
  output out_;
  record_printer printer_;
  record_reader reader_;
  retry_budget retries_;
  progress_bar bar_;
  std::uint64_t count_ = 0;
  std::uint64_t bytes_ = 0;
  std::string last_line_;
  std::optional<error> broken_;
  bool without_leader_ = false;
};

int run_read(const read_options& options, const global_options& global) {
  const auto start = parse_from(options.from, options.from_time);
  if (!start) {
    print_error(fmt::format("--from {}: expected an offset, earliest or latest", options.from));
    return exit_usage;
  }
  auto client = open_client(global);
  if (!client) return exit_usage;
  return reading(*client, global, options.format).run(options.log, *start, options.limit);
}

// Follows the log, over interruptions of the connection as long as --retry allows.
int follow(net::log_client& client, const tail_options& options, net::read_from start,
           const global_options& global) {
  output out;
  record_printer printer(options.format, out);
  record_reader reader;
  retry_budget retries(global.retry_s);
  if (const auto known = client.learn_servers(); known && *known > 1) {
    retries.allow_at_least(retry_budget::k_failover_s);
  }
  std::optional<error> broken;
  bool moved = false;
  const auto take = [&](std::string_view line) {
    const auto record = reader.parse(line);
    if (!record) {
      broken = record.error();
      return false;
    }
    start = net::read_from{record->offset + 1, std::nullopt, false};
    moved = true;
    retries.succeeded();
    if (auto good = printer.print(line); !good) broken = good.error();
    out.flush();
    return !broken;
  };
  while (true) {
    const auto ended = client.follow(options.log, start, take);
    if (broken) return report_failure(client, *broken, global);
    if (interrupted().load()) return exit_interrupted;
    // Another node, or this one after a restart, may not yet know of what was seen already.
    const auto& failure = client.failure();
    const bool behind = moved && ended.code() == errc::offset_not_written;
    if (!ended && !(behind ? retries.pause(failure) : retries.wait(failure))) {
      return report_failure(client, ended.error(), global);
    }
  }
}

int run_tail(const tail_options& options, const global_options& global) {
  auto start = parse_from(options.from.empty() ? "earliest" : options.from, "");
  if (!start || (options.follow && options.format == print_format::json)) {
    print_error(
        start ? "--format json needs an end; with -f take ndjson"
              : fmt::format("--from {}: expected an offset, earliest or latest", options.from));
    return exit_usage;
  }
  auto client = open_client(global);
  if (!client) return exit_usage;
  if (options.from.empty()) {
    int code = exit_ok;
    const auto log =
        ask_patiently(*client, global, code, [&] { return client->describe(options.log); });
    if (!log) return code;
    start->offset =
        log->next_offset - std::min(options.count, log->next_offset - log->lowest_offset);
  }
  if (options.follow) return follow(*client, options, *start, global);
  return reading(*client, global, options.format).run(options.log, *start, k_no_limit);
}

void add_format(CLI::App& command, print_format& format) {
  command
      .add_option("--format", format,
                  "ndjson: a record object per line. json: one array. raw: the values alone, as "
                  "they were stored. text: as raw, with JSON strings as the text they stand for")
      ->transform(choice_of(print_formats()))
      ->option_text("ndjson|json|raw|text [ndjson]");
}

}  // namespace

void add_read_command(CLI::App& app, const global_options& global, int& code) {
  auto options = std::make_shared<read_options>();
  auto* command = app.add_subcommand("read", "Print records up to the end of a log");
  command->add_option("--log,-l", options->log, "The log to read")->capture_default_str();
  auto* from = command->add_option("--from", options->from, "An offset, earliest or latest");
  from->capture_default_str();
  command
      ->add_option("--from-time", options->from_time,
                   "Begin with the first record not older: RFC 3339 or epoch milliseconds")
      ->excludes(from);
  command->add_option("--limit,-n", options->limit, "So many records at most")
      ->transform(whole_number(1, std::uint64_t{1} << 62U))
      ->option_text("COUNT [all]");
  add_format(*command, options->format);
  command->footer(
      "Examples:\n"
      "  cairn read --from 41 --limit 1\n"
      "  cairn read --from-time 2026-11-22T21:00:00Z --format raw > values.ndjson\n"
      "  cairn read --log journal | jq .value.MESSAGE\n");
  command->callback([options, &global, &code] { code = run_read(*options, global); });
}

void add_tail_command(CLI::App& app, const global_options& global, int& code) {
  auto options = std::make_shared<tail_options>();
  auto* command = app.add_subcommand("tail", "Print the last records, and those to come");
  command->add_option("--log,-l", options->log, "The log to read")->capture_default_str();
  command->add_flag("--follow,-f", options->follow, "Go on with new records as they come");
  auto* count = command->add_option("--lines,-n", options->count, "Begin with so many records");
  count->transform(whole_number(0, std::uint64_t{1} << 62U))->capture_default_str();
  command->add_option("--from", options->from, "Begin there: an offset, earliest or latest")
      ->excludes(count);
  add_format(*command, options->format);
  command->footer(
      "With -f and --retry SECONDS it goes on where it was when the connection or the node comes "
      "back.\n\nExamples:\n"
      "  cairn tail -f\n"
      "  cairn tail -f --retry 60 --from latest --format raw\n");
  command->callback([options, &global, &code] { code = run_tail(*options, global); });
}

}  // namespace cairn::cli
