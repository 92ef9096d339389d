#include "starting_point_writer.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <tuple>

#include "atomic_file.h"
#include "starting_points.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

constexpr double kNotSlower = 0.98;  // of the default's speed: less is no noise

struct Judged {
  Schedule schedule;
  double mean_gain = 0;  // geometric; 0: slower than the default somewhere, or not to be measured
  std::string gains;
};

// How a schedule does on all targets that the row would serve; its own target's gain is known.
Judged judge(TuneRun& run, const std::vector<const TuneTarget*>& targets, const ScheduleSpaces& spaces,
             const KernelOutcome& outcome) {
  Judged judged;
  judged.schedule = outcome.schedule;
  double sum = 0;
  for (const TuneTarget* target : targets) {
    double gain = outcome.gain;
    if (!(target->spec == outcome.spec)) {
      const Schedule there = spaces.of(target->spec.kernel).nearest_legal(target->spec, outcome.schedule);
      const auto measured = KernelTuner(run, *target, spaces).gain_over_default(there);
      if (!measured) return {};
      gain = measured->gain;
    }
    if (gain < kNotSlower) return {};
    char text[32];
    std::snprintf(text, sizeof text, "%.2fx ", gain);
    judged.gains += (judged.gains.empty() ? "" : "; ") + (text + canonical_text(target->spec.problem)) + ", " +
                    std::to_string(target->tokens) + " tokens";
    sum += std::log(gain);
  }
  judged.mean_gain = std::exp(sum / static_cast<double>(targets.size()));
  return judged;
}

}  // namespace

std::vector<std::string> write_starting_points(TuneRun& run, const std::vector<TuneTarget>& targets,
                                               const ScheduleSpaces& spaces, const std::vector<KernelOutcome>& outcomes) {
  if (run.boards.emulated()) return {"no defaults are written: an emulator's times are no machine's"};
  using Key = std::tuple<std::string, std::string, std::string>;  // kernel, class, types: a run is for one ISA
  std::map<Key, std::vector<size_t>> groups;
  for (size_t i = 0; i < targets.size(); ++i) {
    const StartingPoint key = starting_point_key(targets[i].spec);
    groups[{targets[i].spec.kernel, key.batch_class, canonical_text(key.types)}].push_back(i);
  }
  std::vector<std::string> lines;
  for (const auto& [key, members] : groups) {
    const auto& [kernel, batch_class, types] = key;
    const std::string what = kernel + " " + batch_class + (types.empty() ? "" : " " + types);
    std::vector<const TuneTarget*> served;
    for (const size_t i : members) served.push_back(&targets[i]);
    Judged best;
    for (const size_t i : members) {
      if (outcomes[i].gain_low <= 1) continue;  // nothing beat the default
      Judged judged = judge(run, served, spaces, outcomes[i]);
      if (judged.mean_gain > best.mean_gain) best = std::move(judged);
    }
    if (best.mean_gain <= 1) {
      lines.push_back("default of " + what + " stays: nothing beat it on " +
                      (members.size() == 1 ? "this shape" : "all shapes"));
      continue;
    }
    StartingPoint row = starting_point_key(served[0]->spec);
    row.schedule = best.schedule;
    row.provenance = {{"by", "lookupffn tune --write-defaults"},
                      {"cpu", run.provenance.cpu},
                      {"caches", run.provenance.caches},
                      {"date", date_now()},
                      {"halide", run.provenance.halide},
                      {"tool", run.provenance.tool},
                      {"threads", std::to_string(run.options.threads)},
                      {"gains", best.gains}};
    // On top of the rows that were in force, which would be out of sight behind a new file.
    const std::string path = starting_points_path(run.options.out, kernel);
    StartingPoints points = spaces.of(kernel).starting_points();
    if (std::error_code error; fs::exists(path, error)) points = StartingPoints::parse(read_file(path), kernel, path);
    points.put(row);
    fs::create_directories(fs::path(path).parent_path());
    write_file_atomically(path, points.text(kernel));
    char gain[32];
    std::snprintf(gain, sizeof gain, "%.2fx", best.mean_gain);
    lines.push_back("default of " + what + ": " + gain + ", " + path);
  }
  return lines;
}

}  // namespace lookupffn
