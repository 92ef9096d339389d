#include "tune_command.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "installation.h"
#include "isas.h"
#include "machine.h"
#include "model_shapes.h"
#include "number_range.h"
#include "option_checks.h"
#include "schedule_points.h"
#include "search/replay.h"
#include "trial/find_tune_tools.h"
#include "trial/trial_log.h"
#include "tune.h"
#include "weight_types.h"
#include "workload.h"

namespace lookupffn {
namespace {

struct Arguments {
  std::string model, workload, isa, budget, generator, replay, target;
  std::vector<std::string> schedules;
  size_t runs = 20;
  TuneOptions tune;
};

constexpr double kLongestBudget = 30 * 24 * 3600;
constexpr size_t kTrainingTokens = 512;  // of the steps that kernels are measured in: then one takes some ten milliseconds

// "90", "90s", "10m", "1.5h": seconds.
double parse_duration(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  const double factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (end == text.c_str() || factor == 0 || !(value > 0) || value * factor > kLongestBudget) {
    throw std::runtime_error("--budget " + text + ": is no time of up to 30 days; write 90s, 10m or 1h");
  }
  return value * factor;
}

// A log is named after what is tuned, so that --resume finds it.
std::string default_log(const std::string& subject, const std::string& isa) {
  std::string name = std::filesystem::path(subject).stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c) && c != '_' && c != '-'; }, '_');
  return "tune-" + name + "-" + isa + ".jsonl";
}

void run_replay(const Arguments& arguments) {
  ReplayOptions options;
  options.strategy = arguments.tune.strategy;
  options.trials = arguments.tune.trials;
  options.seed = arguments.tune.seed;
  options.runs = arguments.runs;
  options.logs = recorded_trials(find_schedules(arguments.schedules));
  const LogContent log = read_trial_log(arguments.replay);
  std::vector<ReplayResult> results;
  try {
    results = replay(log, options);
  } catch (const std::exception& error) {
    throw std::runtime_error("log " + arguments.replay + ": " + error.what());
  }
  for (const ReplayResult& result : results) {
    std::printf("%s: %zu points, %s, %zu seeds; choosing takes %.1f ms a trial\n", result.kernel.c_str(), result.points,
                options.strategy.c_str(), result.found.size(), 1e3 * result.search_seconds);
    std::vector<size_t> looks = {result.trials};
    for (const size_t part : {20, 50, 100}) looks.push_back(result.points / part);
    std::sort(looks.begin(), looks.end());
    looks.erase(std::unique(looks.begin(), looks.end()), looks.end());
    for (const size_t after : looks) {
      if (after == 0 || after > result.trials) continue;
      const std::vector<double> excess = result.excess(after);
      std::printf(
          "  after %zu trials (%.1f%%): best found is %.2f%% above the sweep's best (median; best %.2f%%, worst %.2f%%)\n",
          after, 100.0 * static_cast<double>(after) / static_cast<double>(result.points), 100 * result.median_excess(after),
          100 * excess.front(), 100 * excess.back());
    }
  }
}

void run_tune(Arguments& arguments) {
  TuneOptions& options = arguments.tune;
  if (arguments.model.empty() + arguments.workload.empty() + !options.training != 2) {
    throw std::runtime_error("say what to tune: a model file, --workload or --training (one of the three)");
  }
  if (options.training) {
    options.subject = kTrainingSteps;
  } else if (arguments.model.empty()) {
    options.subject = arguments.workload;
    options.shapes = {find_workload(arguments.workload)};
  } else {
    options.subject = arguments.model;
    options.shapes = model_shapes(arguments.model, &options.layers);
  }
  if (options.tokens.empty()) {
    options.tokens = options.training ? std::vector<size_t>{kTrainingTokens} : std::vector<size_t>{1, 8, 64, 2048};
  }
  if (arguments.isa.empty()) {
    if (!options.runners.empty()) throw std::runtime_error("with --runner, say with --isa what the target runs");
    arguments.isa = "native";
  }
  const std::vector<std::string> isas = resolve_isas({arguments.isa});
  if (isas.size() != 1) throw std::runtime_error("--isa " + arguments.isa + ": tune one ISA at a time");
  options.isa = isas[0];
  if (!arguments.budget.empty()) options.budget_seconds = parse_duration(arguments.budget);
  if (arguments.budget.empty() && options.trials == 0 && options.strategy != "exhaustive") options.budget_seconds = 600;
  if (options.jobs < 1) options.jobs = std::max(1, this_machine().threads);
  if (options.log.empty()) options.log = default_log(options.subject, options.isa);
  options.schedules_dirs = find_schedules(arguments.schedules);
  const Architecture architecture = isa_row(options.isa).architecture;
  if (architecture != kThisArchitecture && options.runners.empty()) {
    throw std::runtime_error("--isa " + options.isa + " is one of " + architecture_row(architecture).name +
                             ", which this machine does not run: say with --runner where it is measured (\"ssh HOST\")");
  }
  options.tools = find_tune_tools(find_generator(arguments.generator), options.isa, arguments.target);
  const TuneResult result = tune(options, stdout);
  for (const KernelOutcome& outcome : result.outcomes) {
    if (outcome.note.find("default schedule fails") != std::string::npos) throw CLI::RuntimeError(1);
  }
}

}  // namespace

void add_tune_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tune", "Find schedules for this machine, or for another behind --runner");
  command->description(
      "Searches the schedule spaces for the kernels of a model's layers, of a workload, or of training steps, on the machine "
      "that\n"
      "they are to run on, and writes a record for every kernel that beats its default schedule. `lookupffn "
      "build`\n"
      "and lookupffn_add_kernels() use matching records. Every trial is in the log before the next one "
      "begins: an\n"
      "interrupted run goes on with --resume. Leave the machine alone meanwhile.");
  const auto arguments = std::make_shared<Arguments>();
  TuneOptions& options = arguments->tune;
  options.jobs = 0;
  std::string names;
  for (const Workload& workload : workloads()) names += (names.empty() ? "" : ", ") + workload.name;
  CLI::Option* model = command->add_option("MODEL", arguments->model, "safetensors file: tunes the kernels of its layers");
  CLI::Option* workload = command
                              ->add_option("--workload", arguments->workload,
                                           "instead of a model: " + names + ", or a shape as \"d_in=512 tables=128 ...\"")
                              ->check(not_empty());
  CLI::Option* training =
      command
          ->add_flag(
              "--training", options.training,
              "instead of a model: the kernels of training steps, which are the same for all layers, measured in steps of one")
          ->excludes(model)
          ->excludes(workload);
  command->add_option("--isa", arguments->isa, "instruction set to tune for (this machine's widest)")->check(not_empty());
  command
      ->add_option(
          "--tokens", options.tokens,
          "tokens a call, separated by commas; of each batch class of a kernel's schedule space (such as one, small, large) "
          "the largest is measured (1,8,64,2048; with --training " +
              std::to_string(kTrainingTokens) + ")")
      ->delimiter(',')
      ->check(whole_number(1, kMostTokens));
  command
      ->add_option("--table-type", options.table_types,
                   "table types to tune for, separated by commas: " + weight_type_list(WeightRole::kTables))
      ->delimiter(',')
      ->check(CLI::IsMember(weight_type_names(WeightRole::kTables)))
      ->capture_default_str();
  command->add_option("--projection-type", options.projection_type, "projection weights: f32, bf16x3 or bf16")
      ->check(CLI::IsMember(weight_type_names(WeightRole::kProjections)))
      ->capture_default_str();
  std::string kernels;
  for (const std::string& name : kernel_names()) kernels += (kernels.empty() ? "" : ", ") + name;
  command->add_option("--kernels", options.kernels, "which of the kernels, separated by commas (all): " + kernels)
      ->delimiter(',')
      ->check(CLI::IsMember(kernel_names()));
  command->add_option("--threads", options.threads, "threads that the kernels run on")
      ->check(whole_number(1, 1024))
      ->capture_default_str();
  std::vector<std::string> objectives;
  std::string meanings;
  for (const ObjectiveRow& row : kObjectives) {
    objectives.push_back(row.name);
    meanings += std::string(meanings.empty() ? "" : "; ") + row.name + ": " + row.meaning;
  }
  command->add_option("--objective", options.objective, "what schedules are to be fast at. " + meanings)
      ->check(CLI::IsMember(objectives))
      ->capture_default_str();
  command->add_option("--budget", arguments->budget, "time for the whole call: 90s, 10m, 1h (10m where --trials is not given)")
      ->check(not_empty());
  command->add_option("--trials", options.trials, "trials a kernel, those of a resumed log included")
      ->check(whole_number(1, 1'000'000));
  command->add_option("--jobs", options.jobs, "compilers that run at a time (as many as there are cores)")
      ->check(whole_number(1, 1024));
  command->add_option("--seed", options.seed, "of everything random")
      ->check(whole_number(0, UINT64_MAX))
      ->capture_default_str();
  command
      ->add_option("--strategy", options.strategy,
                   "model (learns from the trials), random, or exhaustive (every point: to record a sweep)")
      ->check(CLI::IsMember({"model", "random", "exhaustive"}))
      ->capture_default_str();
  command
      ->add_option("--runner", options.runners,
                   "how to run a program on the target: \"qemu-x86_64\" or another wrapper, which gets the "
                   "program's path and arguments; \"ssh HOST\", or \"remote: COMMAND\" for what takes a shell "
                   "command as ssh does: the program is sent through its standard input. May be repeated: trials are spread "
                   "over all of them")
      ->allow_extra_args(false)
      ->check(not_empty());
  command
      ->add_option(
          "--target", arguments->target,
          "where lookupffn was built or installed for another architecture (build/ISA, as `scripts/target ISA` makes it)")
      ->check(not_empty());
  CLI::Option* log = command->add_option("--log", options.log, "the log, JSON lines (tune-NAME-ISA.jsonl)");
  log->check(not_empty());
  CLI::Option* resume = command->add_flag("--resume", options.resume, "go on with the log's run");
  command->add_option("--out", options.out, "schedules directory for records, which go to OUT/tuned/ISA/")
      ->capture_default_str();
  command->add_flag(
      "--write-defaults", options.write_defaults,
      "also write what beat a default into OUT/defaults/KERNEL.json: it is then where kernels of that ISA, batch class and "
      "types start from, of any shape; several shapes are tried on each other");
  command->add_option("--schedules", arguments->schedules, "more directories with schedule spaces and records");
  command->add_option("--generator", arguments->generator, "the generator program lookupffn_generators")->check(not_empty());
  command->add_option("--sample-time", options.sample_seconds, "seconds that timing one trial may take")
      ->check(real_number(0.001, 60))
      ->capture_default_str();
  CLI::Option* replay = command->add_option(
      "--replay", arguments->replay, "run the strategy against this recorded sweep (.jsonl or .jsonl.gz) with no measuring");
  replay->check(not_empty());
  for (CLI::Option* measuring : {model, workload, training, log, resume}) replay->excludes(measuring);
  command->add_option("--runs", arguments->runs, "with --replay: seeds, from --seed on")
      ->check(whole_number(1, 10'000))
      ->needs(replay)
      ->capture_default_str();
  command->callback([arguments] {
    if (arguments->replay.empty()) {
      run_tune(*arguments);
    } else {
      run_replay(*arguments);
    }
  });
}

}  // namespace lookupffn
