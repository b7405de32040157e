#pragma once
// The parts of storage_bench. Each measures one thing and adds its figures.

#include "bench/support/results.hpp"
#include "bench/support/scratch_dir.hpp"
#include "storage/env.hpp"

namespace cairn::bench {

struct storage_options {
  bool smoke = false;  ///< tiny sizes: proves that it runs, measures nothing
  std::size_t rounds = 9;
};

/// Appends with a sync each beside a bare pwrite and fdatasync of the same sizes.
void measure_appends(storage::env& env, const scratch_dir& scratch, const storage_options& options,
                     results& into);
/// The same, on and on: longer than the space prepared ahead lasts, old segments being trimmed.
void measure_sustained_appends(storage::env& env, const scratch_dir& scratch,
                               const storage_options& options, results& into);
/// Ranges, single records and times out of the page cache.
void measure_reads(storage::env& env, const scratch_dir& scratch, const storage_options& options,
                   results& into);
/// Opening a log after a clean close, after SIGKILL and without its indexes.
void measure_opens(storage::env& env, const scratch_dir& scratch, const storage_options& options,
                   results& into);

}  // namespace cairn::bench
