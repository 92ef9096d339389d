#include "tune.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "atomic_file.h"
#include "generated_code.h"
#include "isas.h"
#include "kernel_tuner.h"
#include "machine.h"
#include "measure/hardware_counters.h"
#include "measured_code.h"
#include "on_interrupt.h"
#include "preflight.h"
#include "report.h"
#include "starting_point_writer.h"
#include "winner_report.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

constexpr double kEvenShare = 1.0 / 3;

// Before minutes are spent: can records be written?
void check_writable(const std::string& out) {
  if (out.empty()) throw std::runtime_error("--out is empty: name a schedules directory");
  std::error_code error;
  fs::create_directories(out, error);
  if (error) throw std::runtime_error("--out " + out + ": " + error.message());
  std::string probe = out + "/.lookupffn-probe-XXXXXX";
  const int file = mkstemp(probe.data());
  if (file < 0) throw std::runtime_error("--out " + out + ": " + std::strerror(errno));
  close(file);
  unlink(probe.c_str());
}

// A file of that name that is somebody's, perhaps the log itself, stays.
bool picture_may_stand_at(const std::string& path) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return true;
  try {
    return is_search_picture(read_file(path));
  } catch (const std::runtime_error&) {
    return false;
  }
}

std::string text_of(const std::vector<TuneTarget>& targets) {
  std::string text;
  for (const TuneTarget& target : targets) {
    text += (text.empty() ? "" : "; ") + target.spec.kernel + " " + canonical_text(target.spec.problem) + " " +
            target.spec.batch_class + " " + std::to_string(target.tokens) + " tokens";
  }
  return text;
}

std::string joined(const std::vector<std::string>& commands) {
  std::string text;
  for (const std::string& command : commands) text += (text.empty() ? "" : ", ") + command;
  return text;
}

nlohmann::json log_header(const TuneOptions& options, const std::vector<TuneTarget>& targets, const ScheduleSpaces& spaces,
                          const Machine& machine, const CacheSizes& caches) {
  nlohmann::json identity = {
      {"machine", options.runners.empty() ? machine.cpu + ", " + machine.caches : "behind --runner " + joined(options.runners)},
      {"version", std::string(LOOKUPFFN_TOOL_VERSION) + ", Halide " + LOOKUPFFN_HALIDE_VERSION},
      {"isa", options.isa},
      {"threads", options.threads},
      {"objective", options.objective},
      {"shape", text_of(targets)},
  };
  for (const TuneTarget& target : targets) {
    const std::string& kernel = target.spec.kernel;
    identity["schedule space of " + kernel] = spaces.of(kernel).content_hash();
  }
  const std::time_t now = std::time(nullptr);
  return {{"type", "header"},
          {"identity", identity},
          {"subject", options.subject},
          {"strategy", options.strategy},
          {"seed", options.seed},
          {"started_unix", static_cast<int64_t>(now)},
          {"cache_bytes", {{"l1d", caches.l1d}, {"l2", caches.l2}, {"l3", caches.l3}}}};
}

// The trials of a log that is continued must be of the code that is generated now. What the log holds of each kernel's
// default schedule says so. Throws std::runtime_error where it is not.
void check_code(const TuneOptions& options, const std::vector<TuneTarget>& targets, const ScheduleSpaces& spaces,
                const TrialLog& log, const CandidateBuild& build, Progress* progress) {
  std::vector<ScheduledKernel> kernels;
  std::vector<std::string> measured;
  for (const TuneTarget& target : targets) {
    const Schedule schedule = spaces.of(target.spec.kernel).default_schedule(target.spec);
    for (const Trial& trial : log.content().trials) {
      if (!(trial.spec == target.spec) || trial.schedule != schedule || trial.object_hash.empty()) continue;
      kernels.push_back({target.spec, schedule});
      measured.push_back(trial.object_hash);
      break;
    }
  }
  if (kernels.empty()) return;
  progress->say("checking that the log's trials are of the code that is generated now");
  std::string changed;
  generate_each(options.tools.generator, kernels, build.temporary().path().string(), options.jobs,
                [&](size_t i, const std::string& object, const std::string& error) {
                  // A generator that fails now is the search's to report.
                  if (!error.empty() || !changed.empty()) return;
                  if (compare_measured_code(measured[i], object).match == CodeMatch::kOther)
                    changed = describe(kernels[i].spec);
                });
  if (!changed.empty()) {
    throw std::runtime_error("log " + options.log + ": its trials of " + changed +
                             " measured other code than is generated now (generator or compiler changed since); name "
                             "another with --log");
  }
}

}  // namespace

std::vector<TuneTarget> tune_targets(const TuneOptions& options, const ScheduleSpaces& spaces) {
  std::vector<TuneTarget> targets;
  std::map<KernelSpec, size_t> seen;  // their places in targets
  for (const std::string& kernel : options.kernels.empty() ? kernel_names() : options.kernels) {
    const auto add = [&](const std::vector<KernelSpec>& specs, size_t layers) {
      for (const KernelSpec& spec : specs) {
        if (spec.kernel != kernel) continue;
        // Of each class the largest count stands for all: there the kernel's own time is the most of a call's.
        size_t largest = 0;
        for (const size_t tokens : options.tokens) {
          if (spaces.of(kernel).batch_class_of(tokens).name == spec.batch_class) largest = std::max(largest, tokens);
        }
        if (largest == 0) continue;
        if (seen.emplace(spec, targets.size()).second) targets.push_back({spec, largest, 0});
        targets[seen.at(spec)].layers += layers;
      }
    };
    if (options.training) add(training_kernels(spaces, options.isa), 1);
    for (size_t i = 0; i < options.shapes.size(); ++i) {
      const size_t layers = options.layers.empty() ? 1 : options.layers.at(i);
      for (const std::string& table_type : options.table_types) {
        add(layer_kernels(spaces, options.shapes[i], options.isa, table_type, options.projection_type), layers);
      }
    }
  }
  return targets;
}

std::vector<double> budget_shares(const TuneOptions& options, const ScheduleSpaces& spaces,
                                  const std::vector<TuneTarget>& targets, const std::vector<double>& us) {
  std::vector<double> parts(targets.size(), 0);
  for (const size_t tokens : options.tokens) {
    std::vector<double> time(targets.size(), 0);
    for (size_t i = 0; i < targets.size(); ++i) {
      const KernelSpec& spec = targets[i].spec;
      const bool runs = spaces.of(spec.kernel).batch_class_of(tokens).name == spec.batch_class;
      if (runs) time[i] = us[i] * static_cast<double>(targets[i].layers);
    }
    const double all = std::accumulate(time.begin(), time.end(), 0.0);
    for (size_t i = 0; i < targets.size() && all > 0; ++i) parts[i] += time[i] / all;
  }
  const double all = std::accumulate(parts.begin(), parts.end(), 0.0);
  const double even = 1.0 / static_cast<double>(targets.size());
  for (double& part : parts) part = all > 0 ? kEvenShare * even + (1 - kEvenShare) * part / all : even;
  return parts;
}

TuneResult tune(const TuneOptions& options, std::FILE* out) {
  const auto start = TuneClock::now();
  options.tools.check();
  Progress progress(out);
  Boards boards(options.runners, [&progress](const std::string& message) { progress.say(message); });
  const ScheduleSpaces spaces(options.schedules_dirs);
  const std::vector<TuneTarget> targets = tune_targets(options, spaces);
  if (targets.empty()) throw std::runtime_error("there is nothing to tune: no kernel for these --tokens and --kernels");
  check_writable(options.out);
  boards.greet(architecture_row(isa_row(options.isa).architecture));

  const Machine machine = this_machine();
  CacheSizes caches;
  if (boards.here()) {
    if (machine.l1d_bytes > 0) caches.l1d = machine.l1d_bytes;
    if (machine.l2_bytes > 0) caches.l2 = machine.l2_bytes;
    if (machine.l3_bytes > 0) caches.l3 = machine.l3_bytes;
  }
  TrialLog log(options.log, log_header(options, targets, spaces, machine, caches), options.resume);

  progress.say(
      "tuning " + options.subject + " for " + options.isa + ": " + std::to_string(targets.size()) + " kernels, " +
      (options.budget_seconds > 0 ? "a budget of " + time_text(options.budget_seconds) : std::string("no time budget")) +
      (options.trials > 0 ? ", " + std::to_string(options.trials) + " trials each" : ""));
  progress.say(
      "log " + options.log +
      (log.content().trials.empty() ? "" : ": goes on after " + std::to_string(log.content().trials.size()) + " trials") +
      " (continue an interrupted run with --resume)");
  const int threads = static_cast<int>(options.threads);
  if (boards.here()) {
    const Preflight preflight = check_machine(machine, threads);
    for (const std::string& warning : preflight.warnings) progress.say("warning: " + warning);
    char noise[64];
    std::snprintf(noise, sizeof noise, "%.1f%%", 100 * preflight.noise);
    progress.say("machine: " + machine.cpu + ", " + machine.caches + "; a fixed loop varies by " + noise);
    const std::string missing = threads > 1 ? "" : HardwareCounters(system_counters()).missing();
    if (!missing.empty()) progress.say(missing);
  } else {
    progress.say("measuring behind " + boards.text() + ": see to it that nothing else runs there");
    if (boards.emulated()) {
      progress.say(
          "warning: an emulator's times are no machine's: this shows that kernels build, run and are right; there will be no "
          "records");
    }
  }

  CandidateBuild build(options.tools);
  if (boards.here()) build.check_executable();
  // A trial that fails because its files are being removed must not reach the log.
  const OnInterrupt on_interrupt([&log] { log.close_for_good(); }, build.temporary(),
                                 "the log " + options.log + " has every trial: go on with --resume");
  check_code(options, targets, spaces, log, build, &progress);
  std::vector<std::string> record_dirs = options.schedules_dirs;
  record_dirs.push_back(options.out);
  TuneRun run(options, log, build, boards, progress);
  run.caches = caches;
  run.known = recorded_schedules(record_dirs, spaces);
  run.recorded = recorded_trials(record_dirs);
  run.trials = log.content().trials;
  run.provenance.cpu = machine.cpu;
  run.provenance.caches = machine.caches;
  run.provenance.halide = LOOKUPFFN_HALIDE_VERSION;
  run.provenance.tool = LOOKUPFFN_TOOL_VERSION;
  run.state.kernel_count = targets.size();
  const auto seconds = [](double s) {
    return std::chrono::duration_cast<TuneClock::duration>(std::chrono::duration<double>(s));
  };
  if (options.budget_seconds > 0) run.end = start + seconds(options.budget_seconds);

  TuneResult result;
  const auto time_left = [&run] { return !run.end || TuneClock::now() < *run.end; };
  // What the run that is continued has finished.
  std::vector<const KernelOutcome*> finished(targets.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    for (const KernelOutcome& logged : log.content().outcomes) {
      const bool same = logged.spec == targets[i].spec && logged.tokens == targets[i].tokens;
      if (same && options.trials > 0 && logged.trials >= options.trials) finished[i] = &logged;
    }
  }
  // All defaults first: what they take says how the budget is shared out.
  std::vector<std::unique_ptr<KernelTuner>> tuners(targets.size());
  std::vector<double> us(targets.size(), 0);
  for (size_t i = 0; i < targets.size(); ++i) {
    run.state.kernel_index = i;
    if (finished[i] != nullptr || !time_left()) continue;
    tuners[i] = std::make_unique<KernelTuner>(run, targets[i], spaces);
    us[i] = tuners[i]->measure_default();
  }
  std::vector<double> shares = budget_shares(options, spaces, targets, us);
  for (size_t i = 0; i < targets.size(); ++i) {
    const TuneTarget& target = targets[i];
    run.state.kernel_index = i;
    KernelOutcome outcome;
    if (finished[i] != nullptr) {
      outcome = *finished[i];
    } else if (tuners[i] == nullptr || !time_left()) {
      outcome.spec = target.spec;
      outcome.tokens = target.tokens;
      outcome.note = "the budget ended first";
      result.outcomes.push_back(outcome);
      continue;
    } else {
      std::optional<TuneClock::time_point> deadline;
      if (run.end) {
        // What one leaves over is the others'.
        double rest = 0;
        for (size_t j = i; j < targets.size(); ++j) rest += tuners[j] != nullptr ? shares[j] : 0;
        const double left = std::chrono::duration<double>(*run.end - TuneClock::now()).count();
        deadline = TuneClock::now() + seconds(left * shares[i] / rest);
      }
      outcome = tuners[i]->tune(deadline);
      tuners[i].reset();
    }
    char gain[128];
    std::snprintf(gain, sizeof gain, "%.2fx in %zu trials", outcome.gain, outcome.trials);
    if (outcome.trials_share > 0) {
      std::snprintf(gain + std::strlen(gain), sizeof gain - std::strlen(gain), ", which took %.0f%% of the search's time",
                    100 * outcome.trials_share);
    }
    progress.say(kernel_label(target.spec, target.tokens) + ": " + gain +
                 (outcome.record.empty() ? ", no record: " + outcome.note : ", " + outcome.record));
    result.outcomes.push_back(outcome);
  }
  if (options.write_defaults) {
    for (const std::string& line : write_starting_points(run, targets, spaces, result.outcomes)) progress.say(line);
  }

  progress.say("");
  progress.say(outcome_table(result.outcomes, caches));
  const std::string picture = fs::path(options.log).replace_extension(".svg").string();
  if (picture_may_stand_at(picture)) {
    write_file_atomically(picture, search_picture(run.trials));
    result.picture = picture;
    progress.say("search picture: " + picture);
  } else {
    progress.say("no search picture: " + picture + " is there already and is none of ours");
  }
  const std::string why = winner_text(run.trials), effects = effects_picture(run.trials);
  if (!why.empty()) progress.say(why);
  const std::string effects_path = fs::path(options.log).replace_extension(".effects.svg").string();
  if (!effects.empty() && picture_may_stand_at(effects_path)) {
    write_file_atomically(effects_path, effects);
    progress.say("picture of the parameters: " + effects_path);
  }
  return result;
}

}  // namespace lookupffn
