#include "schedule_record.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "atomic_file.h"
#include "layer_kernels.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;  // objects are sorted by name: files are diffable

std::string base_name(const KernelSpec& spec) {
  return spec.kernel + "-" + problem_key(spec) + "-" + spec.batch_class;
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

std::map<std::string, std::string> pairs_from_json(const Json& object, const char* what) {
  if (!object.is_object()) throw std::runtime_error(std::string("'") + what + "' is not an object");
  std::map<std::string, std::string> pairs;
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) {
      pairs[name] = value.get<std::string>();
    } else if (value.is_number_integer()) {
      pairs[name] = std::to_string(value.get<int64_t>());
    } else if (value.is_boolean()) {
      pairs[name] = value.get<bool>() ? "true" : "false";
    } else {
      throw std::runtime_error(std::string("'") + what + "." + name + "' is neither a number nor a text");
    }
  }
  return pairs;
}

template <class Type>
Type field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) throw std::runtime_error(std::string("'") + name + "' is missing");
  try {
    return found->template get<Type>();
  } catch (const Json::exception&) {
    throw std::runtime_error(std::string("'") + name + "' has the wrong type");
  }
}

// A CPU's name for a message: what a user would look for.
std::string short_cpu(const std::string& cpu) { return cpu.empty() ? "an unknown CPU" : cpu; }

}  // namespace

std::string record_file_name(const KernelSpec& spec, const std::string& cpu) {
  const std::string key = cpu_key(cpu);
  return base_name(spec) + (key.empty() ? "" : "-" + key) + ".json";
}

std::string save_record(const std::string& schedules_dir, const ScheduleRecord& record) {
  const ScheduleRecord::Provenance& provenance = record.provenance;
  const Json json = {
      {"schema", record.schema},
      {"space_hash", record.space_hash},
      {"kernel", record.spec.kernel},
      {"isa", record.spec.isa},
      {"problem", pairs_to_json(record.spec.problem)},
      {"batch_class", record.spec.batch_class},
      {"threads", record.threads},
      {"tokens", record.tokens},
      {"schedule", pairs_to_json(record.schedule)},
      {"samples_us_per_token",
       {{"default", record.default_us_per_token}, {"tuned", record.tuned_us_per_token}}},
      {"gain", {{"median", record.gain}, {"low", record.gain_low}, {"high", record.gain_high}}},
      {"provenance",
       {{"date", provenance.date},
        {"cpu", provenance.cpu},
        {"caches", provenance.caches},
        {"halide", provenance.halide},
        {"generator_hash", provenance.generator_hash},
        {"tool", provenance.tool}}},
  };
  const std::string directory = schedules_dir + "/tuned/" + record.spec.isa;
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw std::runtime_error("cannot make directory '" + directory + "': " + error.message());
  const std::string path = directory + "/" + record_file_name(record.spec, provenance.cpu);
  write_file_atomically(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  return path;
}

ScheduleRecord load_record(const std::string& path) { return parse_record(read_file(path), path); }

ScheduleRecord parse_record(const std::string& text, const std::string& path) {
  try {
    Json json;
    try {
      json = Json::parse(text);
    } catch (const Json::parse_error& error) {
      throw std::runtime_error("it is not valid JSON near byte " + std::to_string(error.byte));
    }
    if (!json.is_object()) throw std::runtime_error("it is not a JSON object");
    ScheduleRecord record;
    record.schema = field<int>(json, "schema");
    // Another schema's fields may be anything: the number alone is enough to refuse it.
    if (record.schema != kScheduleRecordSchema) return record;
    record.space_hash = field<std::string>(json, "space_hash");
    record.spec.kernel = field<std::string>(json, "kernel");
    record.spec.isa = field<std::string>(json, "isa");
    record.spec.batch_class = field<std::string>(json, "batch_class");
    record.spec.problem = pairs_from_json(field<Json>(json, "problem"), "problem");
    record.threads = field<int>(json, "threads");
    record.tokens = field<int64_t>(json, "tokens");
    record.schedule = pairs_from_json(field<Json>(json, "schedule"), "schedule");
    const Json samples = field<Json>(json, "samples_us_per_token");
    record.default_us_per_token = field<std::vector<double>>(samples, "default");
    record.tuned_us_per_token = field<std::vector<double>>(samples, "tuned");
    const Json gain = field<Json>(json, "gain");
    record.gain = field<double>(gain, "median");
    record.gain_low = field<double>(gain, "low");
    record.gain_high = field<double>(gain, "high");
    const Json provenance = field<Json>(json, "provenance");
    record.provenance.date = field<std::string>(provenance, "date");
    record.provenance.cpu = field<std::string>(provenance, "cpu");
    record.provenance.caches = field<std::string>(provenance, "caches");
    record.provenance.halide = field<std::string>(provenance, "halide");
    record.provenance.generator_hash = field<std::string>(provenance, "generator_hash");
    record.provenance.tool = field<std::string>(provenance, "tool");
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
           std::to_string(kScheduleRecordSchema) + ": tune again";
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
    return "says that it is for " + describe(record.spec) +
           ", which its file's name does not: it was renamed or edited";
  }
  const std::string& batch = batch_class(record.spec.kernel, int64_t(record.tokens));
  if (record.tokens > 0 && batch != record.spec.batch_class) {
    return "was tuned at " + std::to_string(record.tokens) + " tokens, which are batch class '" + batch + "', for '" +
           record.spec.batch_class + "': tune again";
  }
  if (record.space_hash != space.content_hash()) {
    return "was tuned in another schedule space (" + record.space_hash + ", the space is now " +
           space.content_hash() + "): tune again";
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
    return "was made for batch class '" + other.batch_class + "', this kernel is for '" + spec.batch_class +
           "'";
  }
  return "";
}

static ChosenSchedule choose_of_isa(const std::vector<std::string>& schedules_dirs, const KernelSpec& spec,
                                    const Machine& machine) {
  std::optional<ScheduleSpace> space;
  for (const std::string& directory : schedules_dirs) {
    std::error_code error;
    if (!fs::exists(directory + "/" + spec.kernel + ".space.json", error)) continue;
    space = ScheduleSpace::load(directory, spec.kernel);
    break;
  }
  if (!space) {
    std::string list;
    for (const std::string& directory : schedules_dirs) list += (list.empty() ? "" : ", ") + directory;
    throw std::runtime_error("there is no '" + spec.kernel + ".space.json' in " +
                             (list.empty() ? "any schedules directory" : list) +
                             ": name the directory with --schedules");
  }

  struct Candidate {
    ScheduleRecord record;
    std::string path, name;
    bool same_cpu, same_threads;
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
      candidates.push_back({record, path, name, same_cpu, record.threads == machine.threads, i});
    }
  }
  if (candidates.empty()) {
    chosen.schedule = space->default_schedule(spec);
    chosen.provenance = "default";
    for (const std::string& refusal : refusals)
      chosen.notes.push_back(refusal + ": the default schedule is used");
    return chosen;
  }
  const auto better = [](const Candidate& a, const Candidate& b) {
    // Dates are ISO 8601 in UTC, so texts compare as times do.
    return std::make_tuple(!a.same_cpu, !a.same_threads, a.directory) <
               std::make_tuple(!b.same_cpu, !b.same_threads, b.directory) ||
           (std::tie(a.same_cpu, a.same_threads, a.directory) ==
                std::tie(b.same_cpu, b.same_threads, b.directory) &&
            std::tie(b.record.provenance.date, b.name) < std::tie(a.record.provenance.date, a.name));
  };
  const Candidate& best = *std::min_element(candidates.begin(), candidates.end(), better);
  for (const std::string& refusal : refusals) chosen.notes.push_back(refusal + ": " + best.name + " is used");
  chosen.schedule = best.record.schedule;
  chosen.record_path = best.path;
  const std::string threads =
      std::to_string(best.record.threads) + (best.record.threads == 1 ? " thread" : " threads");
  if (!best.same_cpu) {
    chosen.provenance = best.name + " (tuned on " + short_cpu(best.record.provenance.cpu) + ")";
    chosen.notes.push_back(best.name + " was tuned on " + short_cpu(best.record.provenance.cpu) + " with " +
                           threads + ", not on this CPU: it is used, `lookupffn tune` may find better");
  } else {
    chosen.provenance = best.name + (best.same_threads ? " (this CPU)" : " (this CPU, " + threads + ")");
  }
  return chosen;
}

// The ISA whose records serve where a kernel has none of its own, as the two kernels have the same instructions: what is
// fast for one is for the other. "" where there is none, as with what AMX multiplies.
static std::string sibling_of(const KernelSpec& spec) {
  if (spec.isa == "avx512_bf16") return "avx512";
  const auto type = spec.problem.find("projection_type");
  if (spec.isa == "avx512_amx" && (type == spec.problem.end() || type->second == "f32")) return "avx512_bf16";
  return "";
}

ChosenSchedule choose_schedule(const std::vector<std::string>& schedules_dirs, const KernelSpec& spec,
                               const Machine& machine) {
  ChosenSchedule chosen = choose_of_isa(schedules_dirs, spec, machine);
  const std::string isa = sibling_of(spec);
  if (chosen.record_path.empty() && !isa.empty()) {
    KernelSpec sibling = spec;
    sibling.isa = isa;
    ChosenSchedule of_sibling = choose_schedule(schedules_dirs, sibling, machine);
    if (!of_sibling.record_path.empty()) {
      of_sibling.notes.insert(of_sibling.notes.begin(), chosen.notes.begin(), chosen.notes.end());
      return of_sibling;
    }
  }
  return chosen;
}

}  // namespace lookupffn
