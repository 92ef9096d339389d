#include "schedules_command.h"

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "generated_code.h"
#include "generation_progress.h"
#include "installation.h"
#include "json_fields.h"
#include "machine.h"
#include "measured_code.h"
#include "on_interrupt.h"
#include "option_checks.h"
#include "schedule_points.h"
#include "schedule_record.h"
#include "schedule_spaces.h"
#include "trial/candidate_build.h"
#include "weight_types.h"
#include "workload.h"

namespace lookupffn {
namespace {

struct SchedulesOptions {
  bool json = false, no_code = false;
  std::string isa, generator, points;
  std::vector<std::string> schedules, table_types = {"f32"}, projection_types = {"f32"};
};

struct Entry {
  std::string path;
  std::optional<ScheduleRecord> record;  // not there where the file cannot be read
  std::string fault;                     // why it is not used, "" where it is
  bool this_cpu = false;
  CodeComparison code;  // of a record that is used
};

// Days since a date as records have it, negative where it is none.
double age_days(const std::string& date) {
  std::tm parts = {};
  const char* end = strptime(date.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr) return -1;
  return std::difftime(std::time(nullptr), timegm(&parts)) / 86400;
}

Entry assess(const std::string& path, const ScheduleSpaces& spaces, const Machine& machine) {
  Entry entry;
  entry.path = path;
  try {
    entry.record = load_record(path);
    entry.this_cpu = !machine.cpu.empty() && entry.record->provenance.cpu == machine.cpu;
    // Of another schema nothing but the number was read.
    if (entry.record->schema != kScheduleRecordSchema) {
      entry.fault = record_fault(*entry.record, path, ScheduleSpace());
      return entry;
    }
    KernelSpec& spec = entry.record->spec;
    const ScheduleSpace& space = spaces.of(spec.kernel);
    entry.fault = record_fault(*entry.record, path, space);
    if (entry.fault.empty()) {
      const ScheduleSpace::BatchClass& batch = space.batch_class(spec.batch_class);
      spec.min_tokens = batch.min_tokens;
      spec.max_tokens = batch.max_tokens;
      entry.record->schedule = space.completed(entry.record->schedule);
    }
  } catch (const std::runtime_error& error) {
    entry.fault = error.what();
  }
  return entry;
}

nlohmann::json to_json(const Entry& entry) {
  nlohmann::json json = {{"path", entry.path}, {"matches", entry.fault.empty()}, {"reason", entry.fault}};
  if (entry.record && entry.record->schema == kScheduleRecordSchema) {
    const ScheduleRecord& record = *entry.record;
    json.update({{"kernel", record.spec.kernel},
                 {"isa", record.spec.isa},
                 {"problem", record.spec.problem},
                 {"batch_class", record.spec.batch_class},
                 {"threads", record.threads},
                 {"schedule", record.schedule},
                 {"gain", record.gain},
                 {"gain_low", record.gain_low},
                 {"gain_high", record.gain_high},
                 {"date", record.provenance.date},
                 {"age_days", age_days(record.provenance.date)},
                 {"cpu", record.provenance.cpu},
                 {"this_cpu", entry.this_cpu},
                 {"object_hash", record.provenance.object_hash}});
    if (entry.fault.empty()) json["measured_code"] = code_text(entry.code);
  }
  return json;
}

void print(const Entry& entry, const std::string& directory) {
  if (!entry.record || entry.record->schema != kScheduleRecordSchema) {
    std::printf("  %s\n    not used: %s\n", std::filesystem::path(entry.path).lexically_relative(directory).c_str(),
                entry.fault.c_str());
    return;
  }
  const ScheduleRecord& record = *entry.record;
  const double age = age_days(record.provenance.date);
  char when[64] = "of unknown age";
  if (age >= 0) std::snprintf(when, sizeof when, "%.0f days old", age);
  std::printf("  %s\n    gain %.2fx (%.2f to %.2f), %s, %d thread%s, %s%s\n    %s%s\n", describe(record.spec).c_str(),
              record.gain, record.gain_low, record.gain_high, when, record.threads, record.threads == 1 ? "" : "s",
              record.provenance.cpu.c_str(), entry.this_cpu ? " (this CPU)" : " (another CPU)",
              entry.fault.empty() ? "matches: used where kernels of this problem are built" : "not used: it ",
              entry.fault.c_str());
  if (entry.fault.empty()) std::printf("    code: %s\n", code_sentence(entry.code).c_str());
}

// Generates the kernels of the records that are used and compares their code with what was measured.
void compare_code(const SchedulesOptions& options, std::vector<Entry>* entries) {
  std::vector<Entry*> compared;
  for (Entry& entry : *entries) {
    if (!entry.fault.empty()) continue;
    if (entry.record->provenance.object_hash.empty()) {
      entry.code.match = CodeMatch::kNotRecorded;
    } else if (options.no_code) {
      entry.code.reason = "--no-code";
    } else {
      compared.push_back(&entry);
    }
  }
  if (compared.empty()) return;
  TuneTools tools;
  try {
    tools.generator = find_generator(options.generator);
  } catch (const std::runtime_error& error) {
    if (!options.generator.empty()) throw;
    for (Entry* entry : compared) entry->code.reason = error.what();
    return;
  }
  std::vector<ScheduledKernel> kernels;
  for (const Entry* entry : compared) kernels.push_back({entry->record->spec, entry->record->schedule});
  const CandidateBuild build(tools);
  const OnInterrupt on_interrupt([] {}, build.temporary(), "nothing was changed; --no-code leaves the generating out");
  GenerationProgress progress(stderr);
  size_t done = 0;
  progress(0, kernels.size(), "");
  generate_each(tools.generator, kernels, build.temporary().path().string(), this_machine().threads,
                [&](size_t i, const std::string& object, const std::string& error) {
                  CodeComparison& code = compared[i]->code;
                  if (error.empty()) {
                    code = compare_measured_code(compared[i]->record->provenance.object_hash, object);
                  } else {
                    code.reason = error;
                  }
                  progress(++done, kernels.size(), describe(kernels[i].spec));
                });
}

void list(const SchedulesOptions& options) {
  const std::vector<std::string> directories = find_schedules(options.schedules);
  const Machine machine = this_machine();
  const ScheduleSpaces spaces(directories);
  std::vector<Entry> entries;
  std::vector<size_t> counts;  // of each directory
  for (const std::string& directory : directories) {
    const std::vector<std::string> paths = record_files(directory, options.isa);
    for (const std::string& path : paths) entries.push_back(assess(path, spaces, machine));
    counts.push_back(paths.size());
  }
  compare_code(options, &entries);
  if (options.json) {
    nlohmann::json records = nlohmann::json::array();
    for (const Entry& entry : entries) records.push_back(to_json(entry));
    std::printf("%s\n", json_text(records).c_str());
    return;
  }
  size_t matching = 0;
  auto entry = entries.begin();
  for (size_t i = 0; i < directories.size(); ++i) {
    std::printf("%s: %zu records\n", directories[i].c_str(), counts[i]);
    for (const auto end = entry + std::ptrdiff_t(counts[i]); entry != end; ++entry) {
      print(*entry, directories[i]);
      matching += entry->fault.empty();
    }
  }
  std::printf("%zu of %zu records match; this CPU is %s, %d threads\n", matching, entries.size(), machine.cpu.c_str(),
              machine.threads);
}

}  // namespace

void add_schedules_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("schedules", "List tuned schedules: how good, how old, whether they match");
  command->description(
      "Lists the schedule records that `lookupffn build` chooses from: kernel, problem, gain over the "
      "default\n"
      "schedule with its spread, age, CPU, whether a record is used or why not, and whether the code that was\n"
      "measured is what the generator program emits now. For that it generates the records' kernels, which\n"
      "takes a few seconds each; the environment variable LOOKUPFFN_KERNEL_CACHE names a directory that keeps\n"
      "them, and --no-code leaves it out.");
  const auto options = std::make_shared<SchedulesOptions>();
  command->add_flag("--json", options->json, "an array of objects on standard output");
  command->add_flag("--no-code", options->no_code, "generate nothing: do not compare the code that was measured");
  command->add_option("--generator", options->generator, "the generator program, where it is not found by itself");
  command->add_option("--isa", options->isa, "of one ISA only")->check(isa_name());
  command
      ->add_option("--schedules", options->schedules,
                   "directory with tuned schedules, looked at before lookupffn's own; may be repeated")
      ->allow_extra_args(false);
  std::string names;
  for (const Workload& workload : workloads()) names += (names.empty() ? "" : ", ") + workload.name;
  CLI::Option* points = command->add_option(
      "--points", options->points,
      "instead: how many schedules there are to choose from (points of the space) for each kernel and batch class of a model "
      "file, of a workload (" +
          names + ") or of a shape as \"d_in=512 tables=128 ...\", or of training steps (" + kTrainingSteps +
          "); of --isa, or this machine's widest");
  points->check(not_empty());
  command->add_option("--table-type", options->table_types, "with --points: table types, separated by commas; default f32")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->needs(points)
      ->check(CLI::IsMember(weight_type_names(WeightRole::kTables)));
  command->add_option("--projection-type", options->projection_types, "with --points: projection types, likewise; default f32")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->needs(points)
      ->check(CLI::IsMember(weight_type_names(WeightRole::kProjections)));
  command->callback([options] {
    if (options->points.empty()) {
      list(*options);
    } else {
      print_points({options->points, options->isa, options->table_types, options->projection_types, options->json},
                   ScheduleSpaces(find_schedules(options->schedules)));
    }
  });
}

}  // namespace lookupffn
