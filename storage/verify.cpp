#include "storage/verify.hpp"

#include "storage/config_file.hpp"
#include "storage/durable_mark.hpp"
#include "storage/log_start.hpp"
#include "storage/paths.hpp"
#include "storage/recovery.hpp"
#include "storage/scan.hpp"
#include "storage/slot_file.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace cairn::storage {

namespace {

constexpr std::size_t k_findings_max = 1000;

/// One pass over a directory. Opens files for reading only.
class verifier {
public:
  verifier(env& env, std::string directory,
           const std::function<void(std::uint64_t, std::uint64_t)>& progress)
      : env_(env), directory_(std::move(directory)), progress_(progress) {}

  result<verify_report> run() {
    auto content = list_log_directory(env_, directory_);
    if (!content) return content.error();
    for (const auto& name : content->temporaries) {
      note(name, 0, "left over from an interrupted change; goes at the next start");
    }
    for (const auto& name : content->orphan_indexes) {
      note(name, 0, "an index without a store; goes at the next start");
    }
    read_start();
    read_mark();
    read_configs();
    if (start_ && start_->installing) {
      note(std::string(k_start_name), 0,
           "a log that is being dropped to begin anew; done at the next start");
      return std::move(report_);
    }
    if (auto s = measure(content->segments); !s) return s.error();
    for (std::size_t i = 0; i < content->segments.size(); ++i) {
      const bool last = i + 1 == content->segments.size();
      if (auto s = check_segment(content->segments[i], last); !s) return s.error();
    }
    check_ends(content->segments);
    return std::move(report_);
  }

private:
  void add(verify_finding::severity level, std::string file, std::uint64_t position,
           std::string what) {
    if (report_.findings.size() < k_findings_max) {
      report_.findings.push_back({level, std::move(file), position, std::move(what)});
    }
  }
  void note(std::string file, std::uint64_t position, std::string what) {
    add(verify_finding::severity::note, std::move(file), position, std::move(what));
  }
  void damage(std::string file, std::uint64_t position, std::string what) {
    add(verify_finding::severity::damage, std::move(file), position, std::move(what));
  }

  /// The newest intact value of a slot file is what slot_file::open reads; it writes only when the
  /// file is missing.
  void read_start() {
    const std::string path = join_path(directory_, k_start_name);
    if (env_.open(path, open_mode::read).code() == errc::not_found) return;
    auto start = slot_file::open(env_, path, {});
    if (!start) {
      damage(std::string(k_start_name), 0, start.error().detail);
    } else if (const auto found = decode_log_start((*start)->value())) {
      report_.lowest_offset = found->lowest;
      start_ = *found;
    } else {
      damage(std::string(k_start_name), 0, "holds no start of a log");
    }
  }

  void read_configs() {
    auto configs = read_config_file(env_, join_path(directory_, k_configs_name));
    const bool none_yet = !start_ || start_->offset_only;
    if (configs.code() == errc::not_found && none_yet) return;
    if (!configs) damage(std::string(k_configs_name), 0, configs.error().detail);
  }

  void read_mark() {
    if (auto mark = durable_mark::read(env_, join_path(directory_, k_mark_name))) {
      mark_ = *mark;
    } else {
      note(std::string(k_mark_name), 0, mark.error().detail);
    }
  }

  status measure(const std::vector<record_offset>& bases) {
    for (const auto base : bases) {
      auto store = env_.open(join_path(directory_, segment_file_name(base, k_store_suffix)),
                             open_mode::read);
      if (!store) return store.error();
      auto size = (*store)->size_bytes();
      if (!size) return size.error();
      total_bytes_ += *size;
    }
    return {};
  }

  status check_segment(record_offset base, bool last) {
    const std::string name = segment_file_name(base, k_store_suffix);
    const std::string path = join_path(directory_, name);
    auto store = env_.open(path, open_mode::read);
    if (!store) return store.error();
    auto size = (*store)->size_bytes();
    if (!size) return size.error();
    std::array<std::byte, k_store_header_bytes> head{};
    auto count = (*store)->pread(head, 0);
    if (!count) return count.error();
    const auto header = decode_store_header(byte_span(head).first(*count), path);
    ++report_.segments;
    if (!header) {
      damage(name, 0, header.error().detail);
      expected_.reset();
      done_bytes_ += *size;
      return {};
    }
    check_joint(name, base, *header);
    auto scan =
        scan_store(**store, *header, [&](const frame_header& frame, std::uint64_t position) {
          ++report_.frames;
          report_.records += frame.record_count;
          if (progress_ && report_.frames % 256 == 0)
            progress_(done_bytes_ + position, total_bytes_);
        });
    if (!scan) return scan.error();
    report_.bytes += scan->extent.end_bytes;
    if (last) {
      if (auto s = check_tail(name, **store, *header, *scan); !s) return s;
    }
    check_index(base, *scan);
    expected_ = scan->extent;
    previous_name_ = name;
    report_.next_offset = scan->extent.next_offset;
    done_bytes_ += *size;
    if (progress_) progress_(done_bytes_, total_bytes_);
    return {};
  }

  /// Does this segment begin where the one before it ends?
  void check_joint(const std::string& name, record_offset base, const store_header& header) {
    if (header.base_offset != base) {
      damage(name, 0, fmt::format("made for base offset {}", header.base_offset.value()));
    }
    if (!expected_) return;
    if (header.base_offset != expected_->next_offset ||
        header.base_index != expected_->next_index) {
      damage(previous_name_, expected_->end_bytes,
             fmt::format("bad frame: records end at offset {}, the next segment begins at {}",
                         expected_->next_offset.value(), header.base_offset.value()));
    }
  }

  status check_tail(const std::string& name, file& store, const store_header& header,
                    const store_scan& scan) {
    const std::uint64_t end = scan.extent.end_bytes;
    auto tail = search_tail(store, header, end, scan.file_bytes);
    if (!tail) return tail.error();
    std::uint64_t durable = tail->durable_bytes;
    if (mark_ && mark_->identity == header.identity) {
      durable = std::max(durable, mark_->position_bytes);
    }
    if (durable > end) {
      damage(name, end, fmt::format("bad frame: everything below {} had been synced", durable));
    } else if (tail->frames_end_bytes > end || (scan.stopped_at_data && !header.recycled)) {
      note(name, end, "a write that was cut short; goes at the next start");
    }
    return {};
  }

  void check_index(record_offset base, const store_scan& scan) {
    const std::string name = segment_file_name(base, k_index_suffix);
    auto index = env_.open(join_path(directory_, name), open_mode::read);
    if (!index) {
      note(name, 0, "missing; will be rebuilt");
      return;
    }
    std::vector<index_entry> entries(scan.entries.size());
    auto count = (*index)->pread(std::as_writable_bytes(std::span(entries)), 0);
    if (!count || *count != entries.size() * sizeof(index_entry)) {
      note(name, 0, "shorter than its store; will be rebuilt");
      return;
    }
    const auto wrong = std::ranges::mismatch(entries, scan.entries).in1 - entries.begin();
    if (static_cast<std::size_t>(wrong) != entries.size()) {
      note(name, static_cast<std::uint64_t>(wrong) * sizeof(index_entry),
           "disagrees with its store; will be rebuilt");
    }
  }

  void check_ends(const std::vector<record_offset>& bases) {
    if (bases.empty()) {
      if (mark_) damage(std::string(k_mark_name), 0, "the log has held data, but has no segment");
      return;
    }
    const bool exact = start_ && !start_->offset_only;
    if (exact ? bases.front() > start_->first_offset : bases.front() > report_.lowest_offset) {
      damage(segment_file_name(bases.front(), k_store_suffix), 0,
             fmt::format("segments from offset {} on are missing", report_.lowest_offset.value()));
    }
    if (mark_ && mark_->base_offset > bases.back().value()) {
      damage(segment_file_name(record_offset(mark_->base_offset), k_store_suffix), 0,
             "missing, although it has held data");
    }
  }

  env& env_;
  const std::string directory_;
  const std::function<void(std::uint64_t, std::uint64_t)>& progress_;
  verify_report report_;
  std::optional<log_start> start_;
  std::optional<durable_mark::mark> mark_;
  std::optional<store_extent>
      expected_;  // where the segment before ended; nothing if it has no header
  std::string previous_name_;
  std::uint64_t done_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
};

}  // namespace

bool verify_report::damaged() const {
  return std::ranges::any_of(
      findings, [](const auto& f) { return f.level == verify_finding::severity::damage; });
}

result<verify_report> verify_log(
    env& env, const std::string& directory,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress) {
  return verifier(env, directory, progress).run();
}

}  // namespace cairn::storage
