#include "kernel_tuner.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>
#include <stdexcept>
#include <thread>

#include "kernel_description.h"
#include "object_code_hash.h"
#include "search/cost_model.h"
#include "search/search_strategy.h"
#include "trial/gain.h"

namespace lookupffn {
namespace {

constexpr size_t kMostPoints =
    4000;                     // of a space that are chosen from, drawn where it has more; neighbours of the best join them
constexpr size_t kMoves = 2;  // parameters that a neighbour differs in
constexpr size_t kMostTransferred = 3;
constexpr size_t kMostFinalists = 3;
constexpr size_t kLargestBatch = 16;
constexpr int kConfirmSamples = 31;
constexpr double kConfirmSeconds = 1.5;
constexpr double kWorthRecording = 1.01;  // gains below are not worth a file
constexpr double kNewIncumbent = 0.985;   // of the old one's cost
constexpr double kLooksGood = 1.05;       // of the best cost so far: sampled more

double seconds_since(TuneClock::time_point start) { return std::chrono::duration<double>(TuneClock::now() - start).count(); }

double seconds_until(const std::optional<TuneClock::time_point>& end) { return end ? -seconds_since(*end) : 1e12; }

// The very fastest may owe it to a clock that went back.
double second_fastest(std::vector<double> samples) {
  const size_t at = std::min<size_t>(1, samples.size() - 1);
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(at), samples.end());
  return samples[at];
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

}  // namespace

KernelTuner::KernelTuner(TuneRun& run, const TuneTarget& target, const ScheduleSpaces& spaces)
    : run_(run),
      target_(target),
      spaces_(spaces),
      space_(spaces.of(target.spec.kernel)),
      default_schedule_(space_.default_schedule(target.spec)) {
  for (const Trial& trial : run.trials) {
    if (trial.spec == target.spec && trial.tokens == target.tokens) trials_.push_back(trial);
  }
}

const Trial* KernelTuner::best_trial() const {
  const Trial* best = nullptr;
  for (const Trial& trial : trials_) {
    if (trial.status == TrialStatus::kOk && (best == nullptr || trial.cost < best->cost)) best = &trial;
  }
  return best;
}

double KernelTuner::best_cost() const {
  const Trial* best = best_trial();
  return best == nullptr ? 1 : std::min(1.0, best->cost);
}

bool KernelTuner::enough_trials() const { return run_.options.trials > 0 && trials_.size() >= run_.options.trials; }

MeasureRequest KernelTuner::request(uint64_t seed_offset) const {
  MeasureRequest request;
  request.spec = target_.spec;
  request.tokens = target_.tokens;
  request.threads = run_.options.threads;
  request.objective = run_.options.objective;
  request.seed = run_.options.seed + seed_offset;
  request.seconds = run_.options.sample_seconds;
  request.time_limit = measure_limit_;
  return request;
}

void KernelTuner::show() {
  run_.state.kernel = kernel_label(target_.spec, target_.tokens);
  run_.state.trials = trials_.size();
  run_.state.best_gain = 1 / best_cost();
  run_.state.boards = run_.boards.count();
  run_.state.all_boards = run_.boards.all();
  run_.state.seconds_left = run_.end ? seconds_until(run_.end) : -1;
  run_.progress.update(run_.state);
}

void KernelTuner::show_boards(const std::vector<Measurement>& measured) {
  for (const Measurement& board : measured) {
    std::string line = "  --runner \"" + board.board + "\": ";
    if (board.status == Measurement::Status::kOk) {
      char time[64];
      std::snprintf(time, sizeof time, "the default takes %.3g us a token", median(board.candidate));
      line += time + (board.cpu.empty() || board.emulated ? "" : ", " + board.cpu);
    } else {
      line += board.reason;
    }
    run_.progress.say(line);
  }
}

// On the disk first: what is not there did not happen.
void KernelTuner::keep(const Trial& trial) {
  run_.log.append(to_json(trial));
  trials_.push_back(trial);
  run_.trials.push_back(trial);
  if (trial.status != TrialStatus::kOk) ++run_.state.failures[trial.status];
  show();
}

Trial KernelTuner::trial_of(const Candidate& candidate, const std::string& proposed_by) const {
  Trial trial;
  trial.spec = target_.spec;
  trial.tokens = target_.tokens;
  trial.schedule = candidate.kernel.schedule;
  trial.proposed_by = proposed_by;
  trial.compile_seconds = candidate.kernel.seconds + candidate.pair.seconds;
  if (is_built(candidate)) {
    trial.object_hash = object_code_hash(candidate.kernel.object);
  } else {
    run_.build.check_directory();
    trial.status = TrialStatus::kCompile;
    trial.reason = candidate.kernel.ok ? candidate.pair.error : candidate.kernel.error;
  }
  return trial;
}

void KernelTuner::add(const Measurement& measured, double incumbent_cost, Trial* into) const {
  Trial& trial = *into;
  trial.measure_seconds = measured.seconds;
  trial.reason = measured.reason;
  trial.board = measured.board;
  switch (measured.status) {
    case Measurement::Status::kOk: {
      const MeasuredGain against = measured_gain(measured.incumbent, measured.candidate);
      // Pairs are free of the machine's drift, the fast ones of each of what other programs did: both have a
      // say.
      const double fastest = second_fastest(measured.candidate) / second_fastest(measured.incumbent);
      trial.cost = incumbent_cost * std::sqrt(fastest / against.gain);
      trial.us_per_token = median(measured.candidate);
      trial.incumbent_us_per_token = median(measured.incumbent);
      trial.samples = measured.candidate;
      trial.ended_early = measured.ended_early;
      trial.counters = measured.counters;
      trial.status = TrialStatus::kOk;
      break;
    }
    case Measurement::Status::kIncorrect:
      trial.status = TrialStatus::kIncorrect;
      break;
    case Measurement::Status::kTimeout:
      trial.status = TrialStatus::kTimeout;
      break;
    case Measurement::Status::kUnfit:
    case Measurement::Status::kCrash:
    case Measurement::Status::kStarted:
    case Measurement::Status::kNothing:
      trial.status = TrialStatus::kCrash;
      break;
  }
}

BuiltPair KernelTuner::link(const BuiltKernel& incumbent, const BuiltKernel& candidate) {
  return run_.build.link(incumbent, candidate, companions_, compile_limit_);
}

bool KernelTuner::build_default() {
  default_kernel_ = run_.build.generate(target_.spec, default_schedule_, compile_limit_);
  const KernelDescription& description = kernel_description(target_.spec);
  if (description.companions && default_kernel_.ok) {
    for (const KernelSpec& other : description.companions(spaces_, target_.spec)) {
      const Schedule schedule = spaces_.of(other.kernel).default_schedule(other);
      companions_.push_back(run_.build.generate(other, schedule, compile_limit_));
      if (!companions_.back().ok) default_kernel_ = companions_.back();
    }
  }
  return default_kernel_.ok;
}

// The default against itself: shows that all works, how long things take and how much they vary.
bool KernelTuner::start(KernelOutcome* outcome) {
  build_default();
  // A default that failed is tried again: what was wrong may have been mended, and without it nothing goes on.
  const auto logged = std::find_if(trials_.begin(), trials_.end(), [&](const Trial& trial) {
    return trial.schedule == default_schedule_ && trial.status == TrialStatus::kOk;
  });
  Trial trial;
  if (logged != trials_.end()) {
    trial = *logged;
  } else {
    Candidate candidate;
    candidate.kernel = default_kernel_;
    if (candidate.kernel.ok) candidate.pair = link(default_kernel_, default_kernel_);
    trial = trial_of(candidate, "default");
    if (is_built(candidate)) {
      MeasureRequest asked = request(0);
      asked.good = kLooksGood * best_cost();
      // Each board shows that it works, and its own time of the default.
      const std::vector<Measurement> measured = run_.boards.run_on_each(candidate.pair.executable, asked);
      if (measured.empty())
        throw std::runtime_error("no board measured the default schedule; mend them and continue with --resume");
      const auto good = std::find_if(measured.begin(), measured.end(),
                                     [](const Measurement& m) { return m.status == Measurement::Status::kOk; });
      add(good == measured.end() ? measured.front() : *good, 1, &trial);
      if (run_.options.runners.size() > 1) show_boards(measured);
    }
    run_.build.discard(candidate.pair);
    trial.cost = 1;  // by definition; what it measured is noise
    keep(trial);
  }
  if (trial.status == TrialStatus::kOk && !default_kernel_.ok) {
    trial.status = TrialStatus::kCompile;
    trial.reason = default_kernel_.error;
  }
  if (trial.status != TrialStatus::kOk) {
    outcome->note = std::string("the default schedule fails (") + status_name(trial.status) + "): " + trial.reason;
    return false;
  }
  outcome->default_us = outcome->best_us = trial.us_per_token;
  compile_seconds_ = std::max(0.1, trial.compile_seconds);
  measure_seconds_ = std::max(0.1, trial.measure_seconds);
  compile_limit_ = std::clamp(10 * compile_seconds_ + 5, 20.0, 120.0);
  measure_limit_ = std::clamp(6 * measure_seconds_ + 3, 5.0, 120.0);
  incumbent_ = default_kernel_;
  return true;
}

void KernelTuner::build_batch(std::vector<Candidate>* batch, const BuiltKernel& incumbent) {
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < batch->size(); i = next++) {
      Candidate& candidate = (*batch)[i];
      const Schedule schedule = candidate.kernel.schedule;
      candidate.kernel = run_.build.generate(target_.spec, schedule, compile_limit_);
      if (candidate.kernel.ok) candidate.pair = link(incumbent, candidate.kernel);
    }
  };
  // All are joined before anything is timed.
  std::vector<std::thread> threads;
  const size_t count = std::min<size_t>(static_cast<size_t>(std::max(1, run_.options.jobs)), batch->size());
  for (size_t i = 1; i < count; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

void KernelTuner::search(std::optional<TuneClock::time_point> deadline) {
  const auto begun = TuneClock::now();
  std::vector<Schedule> points = space_.sample(target_.spec, kMostPoints, run_.options.seed);
  // What cannot be told apart by measuring stays as it is.
  const auto idle = [&](const Schedule& point) {
    return run_.options.threads == 1 &&
           std::any_of(space_.parameters().begin(), space_.parameters().end(), [&](const ScheduleSpace::Parameter& parameter) {
             return parameter.needs_threads && point.at(parameter.name) != default_schedule_.at(parameter.name);
           });
  };
  points.erase(std::remove_if(points.begin(), points.end(), idle), points.end());
  if (std::find(points.begin(), points.end(), default_schedule_) == points.end()) points.push_back(default_schedule_);
  LegalSchedules space(std::move(points));
  SearchHints hints;
  hints.starts.push_back(*space.find(default_schedule_));
  for (const size_t point : transferred_points(space, target_.spec, run_.known, kMostTransferred)) {
    if (point != hints.starts[0]) hints.starts.push_back(point);
  }
  std::vector<LearnedFrom> logs = run_.recorded;
  logs.push_back({run_.trials, run_.caches});
  const LearnedCosts learned(logs, target_.spec, target_.tokens);
  hints.estimated_cost = [&](const Schedule& point) {
    return learned.empty() ? estimated_cost(target_.spec, point, target_.tokens, run_.caches)
                           : learned.cost(target_.spec, point, target_.tokens, run_.caches);
  };
  hints.features = [&](const Schedule& point) { return schedule_features(target_.spec, point, target_.tokens, run_.caches); };
  const auto strategy = make_search_strategy(run_.options.strategy, space, hints, run_.options.seed);

  // What the log holds already, in its order; the best of it is the incumbent.
  Schedule best = default_schedule_;
  for (const Trial& trial : trials_) {
    const auto point = space.find(trial.schedule);
    const bool ok = trial.status == TrialStatus::kOk;
    if (point) strategy->observe(*point, ok ? std::optional<double>(trial.cost) : std::nullopt);
    if (ok && !trial.ended_early && trial.cost < incumbent_cost_ * kNewIncumbent) {
      incumbent_cost_ = trial.cost;
      best = trial.schedule;
    }
  }
  // A log that searches are compared on (--replay): every cost is against the default itself.
  const bool sweep = run_.options.strategy != "model";
  if (sweep) incumbent_cost_ = 1;
  if (best != default_schedule_ && !sweep) {
    incumbent_ = run_.build.generate(target_.spec, best, compile_limit_);
    if (!incumbent_.ok) {
      incumbent_ = default_kernel_;
      incumbent_cost_ = 1;
    }
  }

  const double jobs = std::max(1, run_.options.jobs);
  // Two rounds of the compilers, or of the boards.
  const size_t full_batch = std::max(std::min(kLargestBatch, static_cast<size_t>(2 * jobs)), 2 * run_.boards.count());
  const bool all_listed = space.size() < kMostPoints;
  auto choosing = begun;
  std::optional<Schedule> grown_around;
  while (!enough_trials()) {
    // Moves to the best's neighbours: of a large space few of them were drawn.
    const Trial* ahead = best_trial();
    if (!sweep && !all_listed && ahead != nullptr && grown_around != ahead->schedule) {
      grown_around = ahead->schedule;
      for (const Schedule& point : space_.near(target_.spec, ahead->schedule, kMoves)) {
        if (!idle(point)) space.add(point);
      }
    }
    const double left = seconds_until(deadline);
    if (left <= 0) break;
    size_t count = full_batch;
    if (run_.options.trials > 0) count = std::min(count, run_.options.trials - trials_.size());
    const double each = compile_seconds_ / jobs + measure_seconds_;
    count = std::min(count, static_cast<size_t>(std::clamp(left / each, 1.0, 1e6)));
    std::vector<Candidate> batch;
    for (const size_t point : strategy->propose(count)) {
      batch.emplace_back();
      batch.back().point = point;
      batch.back().kernel.schedule = space.point(point);
    }
    choosing_seconds_ += seconds_since(choosing);
    if (batch.empty()) break;  // every point was tried
    const auto built = TuneClock::now();
    build_batch(&batch, incumbent_);
    compile_seconds_ = 0.5 * compile_seconds_ + 0.5 * seconds_since(built) * jobs / static_cast<double>(batch.size());
    const BuiltKernel old_incumbent = incumbent_;
    const double incumbent_cost = incumbent_cost_, boards = double(run_.boards.count());
    const auto take = [&](const Candidate& candidate, const Trial& trial) {
      keep(trial);
      strategy->observe(candidate.point, trial.status == TrialStatus::kOk ? std::optional<double>(trial.cost) : std::nullopt);
      if (!sweep && trial.status == TrialStatus::kOk && !trial.ended_early && trial.cost < incumbent_cost_ * kNewIncumbent) {
        incumbent_ = candidate.kernel;
        incumbent_cost_ = trial.cost;
      }
    };
    std::vector<const Candidate*> built_candidates;
    for (const Candidate& candidate : batch) {
      if (is_built(candidate)) {
        built_candidates.push_back(&candidate);
      } else {
        take(candidate, trial_of(candidate, run_.options.strategy));
      }
    }
    Boards::Jobs jobs_to_measure;
    jobs_to_measure.count = built_candidates.size();
    jobs_to_measure.executable = [&](size_t i) { return built_candidates[i]->pair.executable; };
    jobs_to_measure.request = [&](size_t) {
      MeasureRequest asked = request(0);
      asked.good = kLooksGood * std::min(best_cost(), incumbent_cost) / incumbent_cost;
      return asked;
    };
    jobs_to_measure.done = [&](size_t i, const Measurement& measured) {
      Trial trial = trial_of(*built_candidates[i], run_.options.strategy);
      add(measured, incumbent_cost, &trial);
      if (trial.status == TrialStatus::kOk) measure_seconds_ = 0.7 * measure_seconds_ + 0.3 * measured.seconds / boards;
      take(*built_candidates[i], trial);
      return seconds_until(deadline) > 0;
    };
    if (seconds_until(deadline) > 0) run_.boards.measure(jobs_to_measure);
    const bool in_time = seconds_until(deadline) > 0;
    for (const Candidate& candidate : batch) {
      run_.build.discard(candidate.pair);
      if (candidate.kernel.object != incumbent_.object) run_.build.discard(candidate.kernel);
    }
    if (old_incumbent.object != incumbent_.object && old_incumbent.object != default_kernel_.object) {
      run_.build.discard(old_incumbent);
    }
    choosing = TuneClock::now();
    if (!in_time) break;
  }
  search_seconds_ = seconds_since(begun);
}

MeasureRequest KernelTuner::fresh_look() const {
  MeasureRequest look = request(1000);
  look.samples = kConfirmSamples;
  look.seconds = kConfirmSeconds;
  look.time_limit += 2 * kConfirmSeconds;
  look.may_end_early = false;
  return look;
}

std::optional<MeasuredGain> KernelTuner::gain_over_default(const Schedule& schedule) {
  if (schedule == default_schedule_) return MeasuredGain{};
  std::optional<MeasuredGain> gain;
  if (build_default()) {
    Candidate candidate;
    candidate.kernel = run_.build.generate(target_.spec, schedule, compile_limit_);
    if (candidate.kernel.ok) candidate.pair = link(default_kernel_, candidate.kernel);
    if (candidate.pair.ok) {
      const Measurement measured = run_.boards.run(candidate.pair.executable, fresh_look());
      if (measured.status == Measurement::Status::kOk) gain = measured_gain(measured.incumbent, measured.candidate);
    }
    run_.build.discard(candidate.pair);
    run_.build.discard(candidate.kernel);
  }
  run_.build.discard(default_kernel_);
  for (const BuiltKernel& companion : companions_) run_.build.discard(companion);
  return gain;
}

void KernelTuner::confirm(std::optional<TuneClock::time_point> deadline, KernelOutcome* outcome) {
  std::vector<const Trial*> order;
  for (const Trial& trial : trials_) {
    const bool good = trial.status == TrialStatus::kOk && !trial.ended_early && trial.cost < 1;
    if (good && trial.schedule != default_schedule_) order.push_back(&trial);
  }
  std::sort(order.begin(), order.end(), [](const Trial* a, const Trial* b) { return a->cost < b->cost; });
  const double each = compile_seconds_ + measure_seconds_ + kConfirmSeconds;
  const size_t affordable = static_cast<size_t>(std::clamp(seconds_until(deadline) / each - 1, 1.0, double(kMostFinalists)));
  if (order.size() > affordable) order.resize(affordable);
  if (order.empty()) {
    outcome->note = "nothing was faster than the default";
    return;
  }

  // A fresh look at the finalists picks one; another fresh look says what it gains.
  MeasureRequest look = fresh_look();
  Candidate winner;
  double winner_gain = 0;
  for (const Trial* trial : order) {
    Candidate candidate;
    candidate.kernel = trial->schedule == incumbent_.schedule
                           ? incumbent_
                           : run_.build.generate(target_.spec, trial->schedule, compile_limit_);
    if (candidate.kernel.ok) candidate.pair = link(default_kernel_, candidate.kernel);
    if (!candidate.pair.ok) continue;
    double gain = 1;
    if (order.size() > 1) {
      const Measurement measured = run_.boards.run(candidate.pair.executable, look);
      if (measured.status != Measurement::Status::kOk) continue;
      gain = measured_gain(measured.incumbent, measured.candidate).gain;
    }
    if (gain > winner_gain) {
      winner_gain = gain;
      std::swap(winner, candidate);
    }
    run_.build.discard(candidate.pair);
  }
  if (!winner.pair.ok) {
    outcome->note = "none of the winners could be measured again";
    return;
  }
  look.seed += 1000;
  const Measurement measured = run_.boards.run(winner.pair.executable, look);
  run_.build.discard(winner.pair);
  if (measured.status != Measurement::Status::kOk) {
    outcome->note = "the winner could not be measured again: " + measured.reason;
    return;
  }
  const MeasuredGain gain = measured_gain(measured.incumbent, measured.candidate);
  outcome->default_us = median(measured.incumbent);
  outcome->best_us = median(measured.candidate);
  outcome->gain = gain.gain;
  outcome->gain_low = gain.low;
  outcome->gain_high = gain.high;
  if (gain.gain < kWorthRecording || gain.low <= 1) {
    outcome->best_us = outcome->default_us;
    outcome->gain = outcome->gain_low = outcome->gain_high = 1;
    outcome->note = "not surely faster than the default";
    return;
  }
  outcome->schedule = winner.kernel.schedule;
  if (run_.boards.emulated()) {
    outcome->note = "an emulator's times are no machine's, and none is recorded";
    return;
  }
  ScheduleRecord record;
  record.spec = target_.spec;
  record.threads = static_cast<int>(run_.options.threads);
  record.objective = run_.options.objective;
  record.schedule = winner.kernel.schedule;
  record.default_us_per_token = measured.incumbent;
  record.tuned_us_per_token = measured.candidate;
  record.tokens = static_cast<int64_t>(target_.tokens);
  record.gain = gain.gain;
  record.gain_low = gain.low;
  record.gain_high = gain.high;
  record.provenance = run_.provenance;
  record.provenance.date = date_now();
  record.provenance.object_hash = object_code_hash(winner.kernel.object);
  if (!run_.boards.here()) {
    record.provenance.cpu = measured.cpu;
    record.provenance.caches = measured.caches;
  }
  outcome->record = save_record(run_.options.out, record);
}

double KernelTuner::measure_default() {
  outcome_.spec = target_.spec;
  outcome_.tokens = target_.tokens;
  outcome_.schedule = default_schedule_;
  show();
  default_works_ = start(&outcome_);
  return outcome_.default_us;
}

KernelOutcome KernelTuner::tune(std::optional<TuneClock::time_point> deadline) {
  KernelOutcome outcome = outcome_;
  show();
  if (default_works_) {
    std::optional<TuneClock::time_point> search_end = deadline;
    if (deadline) {
      const double confirm_seconds =
          std::min(0.3 * seconds_until(deadline),
                   static_cast<double>(kMostFinalists) * compile_seconds_ + 4 * (measure_seconds_ + kConfirmSeconds));
      search_end = *deadline - std::chrono::duration_cast<TuneClock::duration>(std::chrono::duration<double>(confirm_seconds));
    }
    search(search_end);
    confirm(deadline, &outcome);
  }
  outcome.trials = trials_.size();
  if (search_seconds_ > 0) outcome.trials_share = 1 - choosing_seconds_ / search_seconds_;
  const Trial* best = best_trial();
  if (best != nullptr) run_.known.push_back({target_.spec, best->schedule});
  run_.log.append(to_json(outcome));
  if (incumbent_.object != default_kernel_.object) run_.build.discard(incumbent_);
  run_.build.discard(default_kernel_);
  for (const BuiltKernel& companion : companions_) run_.build.discard(companion);
  return outcome;
}

}  // namespace lookupffn
