#include "schedule_record.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "atomic_file.h"
#include "isas.h"
#include "json_fields.h"
#include "schedule_spaces.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;  // objects are sorted by name: files are diffable

// Of numbers in a record: more is a mistake.
constexpr uint64_t kMostCount = 1'000'000'000;
constexpr double kMostReal = 1e12;

std::string base_name(const KernelSpec& spec) {
  const std::string problem = problem_key(spec);
  return spec.kernel + "-" + problem + (problem.empty() ? "" : "-") + spec.batch_class;
}

// Whether a record's file may be called so: "BASE.json" or "BASE-CPU.json".
bool name_fits(const std::string& stem, const KernelSpec& spec) {
  const std::string base = base_name(spec);
  return stem == base || stem.compare(0, base.size() + 1, base + "-") == 0;
}

// Parameters whose whole text is a number are written as one: easier on the eye, and read back as before.
Json pairs_to_json(const std::map<std::string, std::string>& pairs) {
  Json object = Json::object();
  for (const auto& [name, value] : pairs) {
    const Value parsed = Value::from_text(value);
    if (parsed.is_number && std::to_string(parsed.number) == value) {
      object[name] = parsed.number;
    } else {
      object[name] = value;
    }
  }
  return object;
}

// A CPU's name for a message: what a user would look for.
std::string short_cpu(const std::string& cpu) { return cpu.empty() ? "an unknown CPU" : cpu; }

}  // namespace

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string record_file_name(const KernelSpec& spec, const std::string& cpu, const std::string& objective) {
  const std::string key = cpu_key(cpu);
  return base_name(spec) + (key.empty() ? "" : "-" + key) + (objective == default_objective() ? "" : "-" + objective) + ".json";
}

std::string save_record(const std::string& schedules_dir, const ScheduleRecord& record) {
  const ScheduleRecord::Provenance& provenance = record.provenance;
  const Json json = {
      {"schema", record.schema},
      {"kernel", record.spec.kernel},
      {"isa", record.spec.isa},
      {"problem", pairs_to_json(record.spec.problem)},
      {"batch_class", record.spec.batch_class},
      {"threads", record.threads},
      {"objective", record.objective},
      {"tokens", record.tokens},
      {"schedule", pairs_to_json(record.schedule)},
      {"samples_us_per_token", {{"default", record.default_us_per_token}, {"tuned", record.tuned_us_per_token}}},
      {"gain", {{"median", record.gain}, {"low", record.gain_low}, {"high", record.gain_high}}},
      {"provenance",
       {{"date", provenance.date},
        {"cpu", provenance.cpu},
        {"caches", provenance.caches},
        {"halide", provenance.halide},
        {"object_hash", provenance.object_hash},
        {"tool", provenance.tool}}},
  };
  const std::string directory = schedules_dir + "/tuned/" + record.spec.isa;
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw std::runtime_error("cannot make directory '" + directory + "': " + error.message());
  const std::string path = directory + "/" + record_file_name(record.spec, provenance.cpu, record.objective);
  write_file_atomically(path, json_text(json) + "\n");
  return path;
}

ScheduleRecord load_record(const std::string& path) { return parse_record(read_file(path), path); }

ScheduleRecord parse_record(const std::string& text, const std::string& path) {
  try {
    const Json json = parse_json(text);
    ScheduleRecord record;
    record.schema = static_cast<int>(count_field(json, "schema", 0, kMostCount));
    // Another schema's fields may be anything: the number alone is enough to refuse it.
    if (record.schema < kOldestScheduleRecordSchema || record.schema > kScheduleRecordSchema) return record;
    record.spec.kernel = text_field(json, "kernel");
    record.spec.isa = text_field(json, "isa");
    record.spec.batch_class = text_field(json, "batch_class");
    record.spec.problem = pairs_field(json, "problem");
    record.threads = static_cast<int>(count_field(json, "threads", 0, kMostCount));
    record.tokens = static_cast<int64_t>(count_field(json, "tokens", 0, kMostCount));
    if (json.contains("objective")) record.objective = text_field(json, "objective");
    if (find_objective(record.objective) == nullptr) throw std::runtime_error("'" + record.objective + "' is no objective");
    record.schedule = pairs_field(json, "schedule");
    const Json& samples = json_field(json, "samples_us_per_token");
    record.default_us_per_token = reals_field(samples, "default", 0, kMostReal);
    record.tuned_us_per_token = reals_field(samples, "tuned", 0, kMostReal);
    const Json& gain = json_field(json, "gain");
    record.gain = real_field(gain, "median", 0, kMostReal);
    record.gain_low = real_field(gain, "low", 0, kMostReal);
    record.gain_high = real_field(gain, "high", 0, kMostReal);
    const Json& provenance = json_field(json, "provenance");
    record.provenance.date = text_field(provenance, "date");
    record.provenance.cpu = text_field(provenance, "cpu");
    record.provenance.caches = text_field(provenance, "caches");
    record.provenance.halide = text_field(provenance, "halide");
    if (provenance.contains("object_hash")) record.provenance.object_hash = text_field(provenance, "object_hash");
    record.provenance.tool = text_field(provenance, "tool");
    record.schema = kScheduleRecordSchema;
    return record;
  } catch (const std::exception& error) {
    throw std::runtime_error("'" + path + "' is no schedule record: " + error.what());
  }
}

std::vector<std::string> record_files(const std::string& schedules_dir, const std::string& isa) {
  std::vector<std::string> paths;
  const auto list = [&paths](const fs::path& directory) {
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
      const std::string name = at->path().filename().string();
      if (at->path().extension() == ".json" && name[0] != '.') paths.push_back(at->path().string());
    }
  };
  const fs::path tuned = fs::path(schedules_dir) / "tuned";
  if (!isa.empty()) {
    list(tuned / isa);
  } else {
    std::error_code error;
    for (fs::directory_iterator at(tuned, error), end; !error && at != end; at.increment(error)) {
      std::error_code ignored;
      if (at->is_directory(ignored)) list(at->path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string record_fault(const ScheduleRecord& record, const std::string& path, const ScheduleSpace& space) {
  if (record.schema != kScheduleRecordSchema) {
    return "has schema " + std::to_string(record.schema) + ", this version reads " +
           std::to_string(kOldestScheduleRecordSchema) + " to " + std::to_string(kScheduleRecordSchema) + ": tune again";
  }
  if (record.spec.kernel != space.kernel()) {
    return "was made for kernel '" + record.spec.kernel + "', not '" + space.kernel() + "'";
  }
  const fs::path file(path);
  const std::string folder = file.parent_path().filename().string();
  if (folder != record.spec.isa) {
    return "says ISA " + record.spec.isa + " but lies in the folder of " + folder + ": moved or edited";
  }
  if (!name_fits(file.stem().string(), record.spec)) {
    return "says that it is for " + describe(record.spec) + ", which its file's name does not: it was renamed or edited";
  }
  const std::string& batch = space.batch_class_of(uint64_t(record.tokens)).name;
  if (record.tokens > 0 && batch != record.spec.batch_class) {
    return "was tuned at " + std::to_string(record.tokens) + " tokens, which are batch class '" + batch + "', for '" +
           record.spec.batch_class + "': tune again";
  }
  std::string why;
  try {
    if (!space.legal(record.spec, record.schedule, &why)) return "holds a schedule that is not legal: " + why;
  } catch (const std::runtime_error& error) {
    return std::string("cannot be checked: ") + error.what();
  }
  return "";
}

std::string spec_difference(const ScheduleRecord& record, const KernelSpec& spec) {
  const KernelSpec& other = record.spec;
  if (other.kernel != spec.kernel) {
    return "was made for kernel '" + other.kernel + "', this kernel is '" + spec.kernel + "'";
  }
  if (other.isa != spec.isa) return "was made for ISA " + other.isa + ", this kernel is for " + spec.isa;
  if (other.problem != spec.problem) {
    std::string theirs, ours;
    std::set<std::string> names;
    for (const auto& pair : other.problem) names.insert(pair.first);
    for (const auto& pair : spec.problem) names.insert(pair.first);
    for (const std::string& name : names) {
      const auto their = other.problem.find(name), our = spec.problem.find(name);
      const std::string their_value = their == other.problem.end() ? "nothing" : their->second;
      const std::string our_value = our == spec.problem.end() ? "nothing" : our->second;
      if (their_value == our_value) continue;
      theirs += (theirs.empty() ? "" : " ") + name + "=" + their_value;
      ours += (ours.empty() ? "" : " ") + name + "=" + our_value;
    }
    return "was made for " + theirs + ", this kernel has " + ours;
  }
  if (other.batch_class != spec.batch_class) {
    return "was made for batch class '" + other.batch_class + "', this kernel is for '" + spec.batch_class + "'";
  }
  return "";
}

static ChosenSchedule choose_of_isa(const std::vector<std::string>& schedules_dirs, const KernelSpec& spec,
                                    const Machine& machine, const std::string& objective) {
  const ScheduleSpaces spaces(schedules_dirs);
  const ScheduleSpace* const space = &spaces.of(spec.kernel);

  struct Candidate {
    ScheduleRecord record;
    std::string path, name;
    bool same_objective, same_cpu, same_threads;
    size_t directory;
  };
  ChosenSchedule chosen;
  std::vector<Candidate> candidates;
  std::vector<std::string> refusals;
  for (size_t i = 0; i < schedules_dirs.size(); ++i) {
    for (const std::string& path : record_files(schedules_dirs[i], spec.isa)) {
      const std::string stem = fs::path(path).stem().string();
      const std::string name = "tuned/" + spec.isa + "/" + stem + ".json";
      const bool bears_name = name_fits(stem, spec);
      const auto refuse = [&](const std::string& reason) { refusals.push_back(name + " " + reason); };
      ScheduleRecord record;
      try {
        record = load_record(path);
      } catch (const std::runtime_error& error) {
        if (bears_name) refusals.push_back(error.what());
        continue;
      }
      if (!bears_name && !(record.spec == spec)) continue;  // honestly another kernel's
      // What it was made for comes before what is wrong with it otherwise: that is what a user can act on.
      std::string reason = record.schema == kScheduleRecordSchema ? spec_difference(record, spec) : "";
      if (reason.empty()) reason = record_fault(record, path, *space);
      if (!reason.empty()) {
        refuse(reason);
        continue;
      }
      const bool same_cpu = record.provenance.cpu == machine.cpu && !machine.cpu.empty();
      candidates.push_back({record, path, name, record.objective == objective, same_cpu, record.threads == machine.threads, i});
    }
  }
  if (candidates.empty()) {
    chosen.schedule = space->default_schedule(spec);
    chosen.provenance = "default";
    for (const std::string& refusal : refusals) chosen.notes.push_back(refusal + ": the default schedule is used");
    return chosen;
  }
  const auto better = [](const Candidate& a, const Candidate& b) {
    // Dates are ISO 8601 in UTC, so texts compare as times do.
    const auto rank = [](const Candidate& c) {
      return std::make_tuple(!c.same_objective, !c.same_cpu, !c.same_threads, c.directory);
    };
    return rank(a) < rank(b) ||
           (rank(a) == rank(b) && std::tie(b.record.provenance.date, b.name) < std::tie(a.record.provenance.date, a.name));
  };
  const Candidate& best = *std::min_element(candidates.begin(), candidates.end(), better);
  for (const std::string& refusal : refusals) chosen.notes.push_back(refusal + ": " + best.name + " is used");
  chosen.schedule = space->completed(best.record.schedule);
  chosen.record_path = best.path;
  chosen.record_name = best.name;
  chosen.record_isa = best.record.spec.isa;
  chosen.object_hash = best.record.provenance.object_hash;
  const std::string threads = std::to_string(best.record.threads) + (best.record.threads == 1 ? " thread" : " threads");
  if (!best.same_objective) {
    chosen.notes.push_back(best.name + " was tuned for objective " + best.record.objective + ", not " + objective +
                           ": it is used, `lookupffn tune --objective " + objective + "` may find better");
  }
  if (!best.same_cpu) {
    chosen.provenance = best.name + " (tuned on " + short_cpu(best.record.provenance.cpu) + ")";
    chosen.notes.push_back(best.name + " was tuned on " + short_cpu(best.record.provenance.cpu) + " with " + threads +
                           ", not on this CPU: it is used, `lookupffn tune` may find better");
  } else {
    chosen.provenance = best.name + (best.same_threads ? " (this CPU)" : " (this CPU, " + threads + ")");
  }
  return chosen;
}

// The ISA whose records serve where a kernel has none of its own: the one that its ISA extends, where the kernel uses no more
// than that one has. Then both kernels have the same instructions, and what is fast for one is for the other. "": there is
// none.
static std::string sibling_of(const KernelSpec& spec) {
  const IsaRow* extended = extended_isa(isa_row(spec.isa));
  if (!extended) return "";
  const IsaRow& isa = isa_row(spec.isa);
  const bool same_vectors = isa.vector_bytes == extended->vector_bytes && isa.vector_registers == extended->vector_registers;
  return same_vectors && (used_capabilities(spec) & ~isa_capabilities(*extended)) == 0 ? extended->name : "";
}

ChosenSchedule choose_schedule(const std::vector<std::string>& schedules_dirs, const KernelSpec& spec, const Machine& machine,
                               const std::string& objective) {
  ChosenSchedule chosen = choose_of_isa(schedules_dirs, spec, machine, objective);
  const std::string isa = sibling_of(spec);
  if (chosen.record_path.empty() && !isa.empty()) {
    KernelSpec sibling = spec;
    sibling.isa = isa;
    ChosenSchedule of_sibling = choose_schedule(schedules_dirs, sibling, machine, objective);
    if (!of_sibling.record_path.empty()) {
      of_sibling.notes.insert(of_sibling.notes.begin(), chosen.notes.begin(), chosen.notes.end());
      return of_sibling;
    }
  }
  return chosen;
}

}  // namespace lookupffn
