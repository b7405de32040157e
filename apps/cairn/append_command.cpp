#include "apps/cairn/append_session.hpp"
#include "apps/cairn/choice.hpp"
#include "apps/cairn/commands.hpp"
#include "apps/cairn/identity_session.hpp"
#include "apps/cairn/numbers.hpp"
#include "net/records/record_format.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cairn::cli {

namespace {

struct append_options {
  std::string log = "default";
  std::string file = "-";
  line_format format = line_format::json;
  std::uint64_t batch_records = 10'000;
  std::uint64_t batch_bytes = k_mib_bytes;
  std::uint64_t from_line = 1;
  std::optional<std::uint64_t> at_offset;
  bool unconditional = false;
  std::string idempotency_key;
  std::string producer;
  std::uint64_t epoch = 0;
  bool json_output = false;

  [[nodiscard]] bool has_identity() const { return !idempotency_key.empty() || !producer.empty(); }
};

class input_file {
public:
  explicit input_file(const std::string& name)
      : descriptor_(name == "-" ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~input_file() {
    if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
  }
  input_file(const input_file&) = delete;
  input_file& operator=(const input_file&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::optional<std::uint64_t> size_bytes() const {
    struct stat facts {};
    if (::fstat(descriptor_, &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
    return static_cast<std::uint64_t>(facts.st_size);
  }
  [[nodiscard]] bool is_directory() const {
    struct stat facts {};
    return ::fstat(descriptor_, &facts) == 0 && S_ISDIR(facts.st_mode);
  }

private:
  int descriptor_;
};

void print_summary(const append_options& options, const append_outcome& outcome, double elapsed_s) {
  std::string text = fmt::format("{} records", with_commas(outcome.stored_count));
  if (outcome.first_offset && outcome.stored_count > 0) {
    // Others may have written between the batches of a producer.
    text += fmt::format(" ({}) {} offsets {} to {}",
                        human_bytes(static_cast<double>(outcome.stored_bytes)),
                        options.producer.empty() ? "at" : "between", *outcome.first_offset,
                        outcome.next_offset - 1);
  }
  if (elapsed_s > 0) {
    text += fmt::format(" in {:.1f} s: {} records/s", elapsed_s,
                        with_commas(static_cast<std::uint64_t>(
                            static_cast<double>(outcome.stored_count) / elapsed_s)));
  }
  fmt::print(stderr, "stored in {}: {}\n", options.log, text);
  if (outcome.found_count > 0) {
    fmt::print(stderr, "  {} lines {}\n", with_commas(outcome.found_count),
               options.has_identity() ? "were stored before, under the same identity"
                                      : "stood there already and were passed over");
  }
  if (outcome.other_writer_count > 0) {
    fmt::print(stderr, "  {} batches were sent again because another writer came first\n",
               with_commas(outcome.other_writer_count));
  }
}

void print_how_to_go_on(const append_options& options, const append_outcome& outcome) {
  const auto file = options.file == "-" ? std::string("-") : options.file;
  if (outcome.unknown_count > 0) {
    fmt::print(stderr, "  Lines {} to {} may or may not be stored.\n", outcome.next_line,
               outcome.next_line + outcome.unknown_count - 1);
  }
  fmt::print(stderr, "  Every line before line {} is stored.", outcome.next_line);
  const bool certain = outcome.unknown_count == 0;
  if (options.has_identity()) {
    fmt::print(stderr, " The same command goes on: it stores nothing twice.\n");
    return;
  }
  if (options.unconditional && !certain) {
    fmt::print(stderr, " Look with cairn read whether the others are, too.\n");
    return;
  }
  // Behind an attempt without an answer only the comparison is safe.
  const auto at =
      certain && !options.at_offset ? std::string() : fmt::format(" --at {}", outcome.next_offset);
  fmt::print(stderr, " Go on with\n    cairn append --log {}{}{} --from-line {} {}\n", options.log,
             options.format == line_format::text ? " --format text" : "", at, outcome.next_line,
             file);
}

void print_json(const append_options& options, const append_outcome& outcome, double elapsed_s) {
  std::string log;
  net::append_json_string(log, options.log);
  fmt::print(
      "{{\"log\":{},\"stored\":{},\"already_there\":{},\"unknown\":{},\"first_offset\":{},"
      "\"next_offset\":{},\"next_line\":{},\"seconds\":{:.3f}}}\n",
      log, outcome.stored_count, outcome.found_count, outcome.unknown_count,
      outcome.first_offset ? std::to_string(*outcome.first_offset) : "null", outcome.next_offset,
      outcome.next_line, elapsed_s);
}

line_source_options source_options_of(const append_options& options) {
  line_source_options made;
  made.name = options.file == "-" ? "standard input" : options.file;
  made.format = options.format;
  made.batch_lines_max = options.batch_records;
  made.batch_bytes_max = options.batch_bytes;
  made.full_batches = options.has_identity();
  if (!options.idempotency_key.empty()) {
    made.batch_lines_max = k_append_lines_max;
    made.batch_bytes_max = k_append_bytes_max;
  }
  return made;
}

append_outcome run_session(net::log_client& client, line_source& source,
                           const append_options& options, const global_options& global,
                           const append_session::observer& progressed) {
  if (options.has_identity()) {
    identity_session session(client, source,
                             {options.log, options.idempotency_key, options.producer, options.epoch,
                              global.retry_s, retry_budget::k_first_pause});
    return session.run(progressed);
  }
  append_session session(client, source,
                         {options.log, options.at_offset, options.unconditional, global.retry_s,
                          retry_budget::k_first_pause});
  return session.run(progressed);
}

int run_append(const append_options& options, const global_options& global) {
  // Not interruptible: after a signal the batch on its way still gets its answer.
  auto client = open_client(global, false);
  if (!client) return exit_usage;
  const input_file input(options.file);
  if (input.descriptor() < 0 || input.is_directory()) {
    print_error(fmt::format("{}: {}", options.file,
                            input.descriptor() < 0 ? std::strerror(errno) : "is a directory"));
    return exit_failed;
  }
  line_source source(input.descriptor(), source_options_of(options));
  if (auto good = source.skip_lines(options.from_line - 1); !good) {
    print_error(good.error().detail);
    return exit_failed;
  }
  progress_bar bar(!global.quiet);
  const auto total_bytes = input.size_bytes();
  const auto outcome =
      run_session(*client, source, options, global, [&](const append_outcome& now) {
        bar.update(
            {now.stored_count + now.found_count, now.stored_bytes + now.found_bytes, total_bytes});
      });
  const auto elapsed_s = bar.elapsed_s();
  bar.clear();
  if (outcome.failure) {
    if (outcome.code == exit_unreachable || outcome.code == exit_interrupted) {
      report_failure(*client, *outcome.failure, global);
    } else {
      print_error(outcome.failure->detail);
    }
  }
  const bool anything = outcome.stored_count + outcome.found_count + outcome.unknown_count > 0;
  if (outcome.failure ? anything : !global.quiet) print_summary(options, outcome, elapsed_s);
  if (outcome.failure && anything) print_how_to_go_on(options, outcome);
  if (options.json_output) print_json(options, outcome, elapsed_s);
  return outcome.code;
}

void add_identity_options(CLI::App& command, append_options& options) {
  const CLI::Validator name(check_identity, "NAME");
  command
      .add_option("--idempotency-key", options.idempotency_key,
                  "The whole input is one append under this key: the log stores it once, however "
                  "often the command is run. It remembers keys for a day, and so many at most")
      ->check(name)
      ->option_text("KEY")
      ->excludes("--at")
      ->excludes("--unconditional")
      ->excludes("--batch-records")
      ->excludes("--batch-bytes");
  auto* producer =
      command
          .add_option("--producer", options.producer,
                      "The batches are numbered appends of this producer: run again with the same "
                      "input and options, the command goes on where it ended, and stores nothing "
                      "twice. Many can write at once, each under an id of its own")
          ->check(name)
          ->option_text("ID")
          ->excludes("--at")
          ->excludes("--unconditional")
          ->excludes("--idempotency-key");
  command
      .add_option("--epoch", options.epoch,
                  "Of the producer; a new one begins another input, and ends older ones")
      ->transform(whole_number(0, (std::uint64_t{1} << 63U) - 1))
      ->capture_default_str()
      ->needs(producer);
}

}  // namespace

void add_append_command(CLI::App& app, const global_options& global, int& code) {
  auto options = std::make_shared<append_options>();
  auto* command = app.add_subcommand("append", "Append the lines of a file, one record each");
  command->add_option("FILE", options->file, "What to append; - is standard input")
      ->capture_default_str();
  command->add_option("--log,-l", options->log, "The log to append to")->capture_default_str();
  const std::map<std::string, line_format> formats{{"json", line_format::json},
                                                   {"text", line_format::text}};
  command
      ->add_option("--format", options->format,
                   "json: each line is a JSON text, stored byte for byte. text: each line is UTF-8 "
                   "text, stored as a JSON string")
      ->transform(choice_of(formats))
      ->option_text("json|text [json]");
  command->add_option("--batch-records", options->batch_records, "Lines per request, at most")
      ->transform(whole_number(1, 100'000))
      ->capture_default_str();
  command->add_option("--batch-bytes", options->batch_bytes, "Bytes per request, at most")
      ->transform(whole_number(1, 16'000'000))
      ->capture_default_str();
  command->add_option("--from-line", options->from_line, "Pass over the lines before this one")
      ->transform(whole_number(1, std::uint64_t{1} << 62U))
      ->capture_default_str();
  command
      ->add_option("--at", options->at_offset,
                   "The first line belongs at this offset: lines that are stored there already "
                   "are compared and passed over, so that a command can be repeated safely")
      ->transform(whole_number(0));
  command
      ->add_flag("--unconditional", options->unconditional,
                 "Append wherever the log ends: faster when many write at once, but a lost answer "
                 "can then not be told from a lost request")
      ->excludes("--at");
  add_identity_options(*command, *options);
  command->add_flag("--json,-j", options->json_output, "Print the result as JSON on stdout");
  command->footer(
      "Lines are sent in batches, each stored as a whole or not at all; a bad line is named and "
      "nothing\nof it or behind it is stored. Each batch says which offset it expects, so that a "
      "lost answer is\nresolved by looking, and nothing is stored twice. With --retry the command "
      "goes on when the node\ncomes back; where there are several nodes it goes on with another "
      "one by itself.\n\nExamples:\n"
      "  cairn append events.ndjson\n"
      "  journalctl -f -o json | cairn append --log journal -\n"
      "  cairn append --format text notes.txt\n"
      "  cairn append --retry 60 --at 0 events.ndjson    # may be repeated until it succeeds\n"
      "  cairn append --producer host-1 events.ndjson    # likewise, while others write, too\n"
      "  echo '{\"order\":17}' | cairn append --idempotency-key order-17 -\n");
  command->callback([options, &global, &code] { code = run_append(*options, global); });
}

}  // namespace cairn::cli
