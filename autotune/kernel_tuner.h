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
#include "trial/boards.h"
#include "trial/candidate_build.h"
#include "trial/gain.h"
#include "trial/trial_log.h"
#include "tune.h"

namespace lookupffn {

using TuneClock = JumpProofClock;  // neither a clock that is set nor one that jumps disturbs a budget

// What the searches of one run share.
struct TuneRun {
  TuneRun(const TuneOptions& o, TrialLog& l, CandidateBuild& b, Boards& r, Progress& p)
      : options(o), log(l), build(b), boards(r), progress(p) {}

  const TuneOptions& options;
  TrialLog& log;
  CandidateBuild& build;
  Boards& boards;
  Progress& progress;
  ProgressState state;
  CacheSizes caches;
  std::vector<KnownSchedule> known;          // records, and what this run found so far
  std::vector<LearnedFrom> recorded;         // sweeps, to learn from
  ScheduleRecord::Provenance provenance;     // of records, but for what each has of its own
  std::vector<Trial> trials;                 // of the log and of this run
  std::optional<TuneClock::time_point> end;  // of the whole run's budget
};

class KernelTuner {
 public:
  KernelTuner(TuneRun& run, const TuneTarget& target, const ScheduleSpaces& spaces);

  // Builds the default and measures it against itself, or takes what the log says: microseconds a token, 0 where it fails.
  // Comes before tune(). Throws as that does.
  double measure_default();

  // Tries schedules until `deadline` (none: until the trials or the points end), confirms the best and writes
  // its record. Throws std::runtime_error where the run cannot go on at all.
  KernelOutcome tune(std::optional<TuneClock::time_point> deadline);

  // Instead of these two: how much faster than the default a schedule is, by fresh samples; nothing where it cannot be
  // measured.
  std::optional<MeasuredGain> gain_over_default(const Schedule& schedule);

 private:
  struct Candidate {
    size_t point = 0;
    BuiltKernel kernel;
    BuiltPair pair;
  };

  bool build_default();
  bool start(KernelOutcome* outcome);
  MeasureRequest fresh_look() const;
  BuiltPair link(const BuiltKernel& incumbent, const BuiltKernel& candidate);
  void search(std::optional<TuneClock::time_point> deadline);
  void build_batch(std::vector<Candidate>* batch, const BuiltKernel& incumbent);
  void confirm(std::optional<TuneClock::time_point> deadline, KernelOutcome* outcome);
  bool is_built(const Candidate& candidate) const { return candidate.kernel.ok && candidate.pair.ok; }
  Trial trial_of(const Candidate& candidate, const std::string& proposed_by) const;  // not built, or not yet measured
  void add(const Measurement& measured, double incumbent_cost, Trial* trial) const;  // what was measured
  const Trial* best_trial() const;                                                   // NULL where none was measured
  double best_cost() const;
  void keep(const Trial& trial);
  MeasureRequest request(uint64_t seed_offset) const;
  bool enough_trials() const;
  void show();
  void show_boards(const std::vector<Measurement>& measured);

  TuneRun& run_;
  TuneTarget target_;
  const ScheduleSpaces& spaces_;
  const ScheduleSpace& space_;
  Schedule default_schedule_;
  KernelOutcome outcome_;
  bool default_works_ = false;
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
