#include "schedules_command.h"

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "generator_hash.h"
#include "installation.h"
#include "json_fields.h"
#include "machine.h"
#include "option_checks.h"
#include "schedule_record.h"
#include "schedule_space.h"

namespace lookupffn {
namespace {

struct SchedulesOptions {
  bool json = false;
  std::string isa;
  std::vector<std::string> schedules;
};

struct Entry {
  std::string path;
  std::optional<ScheduleRecord> record;  // not there where the file cannot be read
  std::string fault;                     // why it is not used, "" where it is
  bool this_cpu = false;
  bool this_generator = false;  // the one that it was tuned with is this build's
};

// Days since a date as records have it, negative where it is none.
double age_days(const std::string& date) {
  std::tm parts = {};
  const char* end = strptime(date.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr) return -1;
  return std::difftime(std::time(nullptr), timegm(&parts)) / 86400;
}

Entry assess(const std::string& path, const std::vector<std::string>& directories, const Machine& machine) {
  Entry entry;
  entry.path = path;
  try {
    entry.record = load_record(path);
    entry.this_cpu = !machine.cpu.empty() && entry.record->provenance.cpu == machine.cpu;
    entry.this_generator = entry.record->provenance.generator_hash == generator_hash(entry.record->spec.kernel);
    std::optional<ScheduleSpace> space;
    for (const std::string& directory : directories) {
      if (!std::filesystem::exists(directory + "/" + entry.record->spec.kernel + ".space.json")) continue;
      space = ScheduleSpace::load(directory, entry.record->spec.kernel);
      break;
    }
    // Of another schema nothing but the number was read.
    if (!space && entry.record->schema == kScheduleRecordSchema) {
      entry.fault = "is for kernel '" + entry.record->spec.kernel + "', which has no schedule space";
    } else {
      entry.fault = record_fault(*entry.record, path, space ? *space : ScheduleSpace());
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
                 {"this_generator", entry.this_generator}});
  }
  return json;
}

void print(const Entry& entry, const std::string& directory) {
  if (!entry.record || entry.record->schema != kScheduleRecordSchema) {
    std::printf("  %s\n    not used: %s\n",
                std::filesystem::path(entry.path).lexically_relative(directory).c_str(), entry.fault.c_str());
    return;
  }
  const ScheduleRecord& record = *entry.record;
  const double age = age_days(record.provenance.date);
  char when[64] = "of unknown age";
  if (age >= 0) std::snprintf(when, sizeof when, "%.0f days old", age);
  std::printf("  %s\n    gain %.2fx (%.2f to %.2f), %s, %d thread%s, %s%s%s\n    %s%s\n",
              describe(record.spec).c_str(), record.gain, record.gain_low, record.gain_high, when,
              record.threads, record.threads == 1 ? "" : "s", record.provenance.cpu.c_str(),
              entry.this_cpu ? " (this CPU)" : " (another CPU)",
              entry.this_generator ? "" : "; its generator has changed since: tune again for the best",
              entry.fault.empty() ? "matches: used where kernels of this problem are built" : "not used: it ",
              entry.fault.c_str());
}

void list(const SchedulesOptions& options) {
  const std::vector<std::string> directories = find_schedules(options.schedules);
  const Machine machine = this_machine();
  nlohmann::json records = nlohmann::json::array();
  size_t count = 0, matching = 0;
  for (const std::string& directory : directories) {
    const std::vector<std::string> paths = record_files(directory, options.isa);
    if (!options.json) std::printf("%s: %zu records\n", directory.c_str(), paths.size());
    for (const std::string& path : paths) {
      const Entry entry = assess(path, directories, machine);
      ++count;
      matching += entry.fault.empty();
      if (options.json) {
        records.push_back(to_json(entry));
      } else {
        print(entry, directory);
      }
    }
  }
  if (options.json) {
    std::printf("%s\n", json_text(records).c_str());
  } else {
    std::printf("%zu of %zu records match; this CPU is %s, %d threads\n", matching, count,
                machine.cpu.c_str(), machine.threads);
  }
}

}  // namespace

void add_schedules_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("schedules", "List tuned schedules: how good, how old, whether they match");
  command->description(
      "Lists the schedule records that `lookupffn build` chooses from: kernel, problem, gain over the "
      "default\n"
      "schedule with its spread, age, CPU, and whether a record is used or why not.");
  const auto options = std::make_shared<SchedulesOptions>();
  command->add_flag("--json", options->json, "an array of objects on standard output");
  command->add_option("--isa", options->isa, "of one ISA only")->check(isa_name());
  command
      ->add_option("--schedules", options->schedules,
                   "directory with tuned schedules, looked at before lookupffn's own; may be repeated")
      ->allow_extra_args(false);
  command->callback([options] { list(*options); });
}

}  // namespace lookupffn
