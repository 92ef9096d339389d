// The search for one kernel's schedule, from the default to the confirmed winner.
#ifndef LOOKUPFFN_KERNEL_TUNER_H
#define LOOKUPFFN_KERNEL_TUNER_H

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "jump_proof_clock.h"
#include "kernel_outcome.h"
#include "progress.h"
#include "schedule_record.h"
#include "schedule_spaces.h"
#include "search/learned_costs.h"
#include "search/transfer.h"
#include "trial/candidate_build.h"
#include "trial/runner.h"
#include "trial/trial_log.h"
#include "tune.h"

namespace lookupffn {

using TuneClock = JumpProofClock;  // neither a clock that is set nor one that jumps disturbs a budget

// What the searches of one run share.
struct TuneRun {
  TuneRun(const TuneOptions& o, TrialLog& l, CandidateBuild& b, const Runner& r, Progress& p)
      : options(o), log(l), build(b), runner(r), progress(p) {}

  const TuneOptions& options;
  TrialLog& log;
  CandidateBuild& build;
  const Runner& runner;
  Progress& progress;
  ProgressState state;
  CacheSizes caches;
  std::vector<KnownSchedule> known;          // records, and what this run found so far
  std::vector<LearnedFrom> recorded;         // sweeps, to learn from
  ScheduleRecord::Provenance provenance;     // of records, but for what each has of its own
  std::vector<Trial> trials;                 // of the log and of this run
  std::optional<TuneClock::time_point> end;  // of the whole run's budget
  int silent_in_a_row = 0;                   // trials that nothing came back from
};

class KernelTuner {
 public:
  KernelTuner(TuneRun& run, const TuneTarget& target, const ScheduleSpaces& spaces);

  // Tries schedules until `deadline` (none: until the trials or the points end), confirms the best and writes
  // its record. Throws std::runtime_error where the run cannot go on at all.
  KernelOutcome tune(std::optional<TuneClock::time_point> deadline);

 private:
  struct Candidate {
    size_t point = 0;
    BuiltKernel kernel;
    BuiltPair pair;
  };

  bool start(KernelOutcome* outcome);
  BuiltPair link(const BuiltKernel& incumbent, const BuiltKernel& candidate);
  void search(std::optional<TuneClock::time_point> deadline);
  void build_batch(std::vector<Candidate>* batch, const BuiltKernel& incumbent);
  void confirm(std::optional<TuneClock::time_point> deadline, KernelOutcome* outcome);
  Trial measure(const Candidate& candidate, double incumbent_cost, const std::string& proposed_by);
  const Trial* best_trial() const;  // NULL where none was measured
  double best_cost() const;
  void keep(const Trial& trial);
  MeasureRequest request(uint64_t seed_offset) const;
  bool enough_trials() const;
  void show();

  TuneRun& run_;
  TuneTarget target_;
  const ScheduleSpaces& spaces_;
  const ScheduleSpace& space_;
  Schedule default_schedule_;
  BuiltKernel default_kernel_, incumbent_;
  std::vector<BuiltKernel> companions_;  // that a layer needs beside it
  double incumbent_cost_ = 1;
  std::vector<Trial> trials_;  // of this kernel
  double search_seconds_ = 0, choosing_seconds_ = 0;
  double compile_limit_ = 120, measure_limit_ = 60;
  double compile_seconds_ = 2, measure_seconds_ = 1;  // what one takes, about
};

}  // namespace lookupffn
#endif
