#include "learned_costs.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <utility>

namespace lookupffn {
namespace {

constexpr size_t kFewestTrials = 20;     // of a kernel: fewer say little about their middle
constexpr size_t kMostTrials = 1000;     // of a kernel that are looked at
const double kWorstLog = std::log(3.0);  // above the kernel's best: worse is all bad

}  // namespace

std::vector<LearnedFrom> recorded_trials(const std::vector<std::string>& schedules_dirs) {
  namespace fs = std::filesystem;
  std::vector<LearnedFrom> logs;
  for (const std::string& directory : schedules_dirs) {
    std::error_code error;
    std::vector<std::string> paths;
    for (fs::directory_iterator at(fs::path(directory) / "sweeps", error), end; !error && at != end; at.increment(error)) {
      if (at->path().extension() == ".gz") paths.push_back(at->path().string());
    }
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) {
      try {
        LogContent log = read_trial_log(path);
        logs.push_back({std::move(log.trials), caches_of(log.header)});
      } catch (const std::runtime_error&) {
        // A hint that cannot be read is no hint.
      }
    }
  }
  return logs;
}

LearnedCosts::LearnedCosts(const std::vector<LearnedFrom>& logs, const KernelSpec& but, size_t but_tokens) {
  struct Known {
    const Trial* trial;
    const CacheSizes* caches;
  };
  std::map<std::pair<KernelSpec, size_t>, std::vector<Known>> kernels;
  for (const LearnedFrom& log : logs) {
    for (const Trial& trial : log.trials) {
      if (trial.spec == but && trial.tokens == but_tokens) continue;
      if (trial.status == TrialStatus::kOk) kernels[{trial.spec, trial.tokens}].push_back({&trial, &log.caches});
    }
  }
  std::vector<Features> all;
  std::vector<double> targets;
  std::mt19937_64 random(1);
  for (auto& [kernel, known] : kernels) {
    if (known.size() < kFewestTrials) continue;
    std::shuffle(known.begin(), known.end(), random);
    known.resize(std::min(known.size(), kMostTrials));
    double best = known[0].trial->cost;
    for (const Known& one : known) best = std::min(best, one.trial->cost);
    std::vector<double> logs_of_costs;
    for (const Known& one : known) logs_of_costs.push_back(std::min(std::log(one.trial->cost / best), kWorstLog));
    std::vector<double> sorted = logs_of_costs;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
    const double middle = sorted[sorted.size() / 2];
    for (size_t i = 0; i < known.size(); ++i) {
      all.push_back(schedule_features(kernel.first, known[i].trial->schedule, kernel.second, *known[i].caches));
      targets.push_back(logs_of_costs[i] - middle);
    }
  }
  if (all.empty()) return;
  for (const Features& features : all) {
    for (const auto& feature : features) columns_.emplace(feature.first, columns_.size());
  }
  std::vector<float> rows;
  for (const Features& features : all) {
    const std::vector<float> row = feature_row(features, columns_);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  trees_ = BoostedTrees(rows, columns_.size(), targets, {}, BoostingOptions());
}

double LearnedCosts::cost(const KernelSpec& spec, const Schedule& schedule, size_t tokens, const CacheSizes& caches) const {
  return std::exp(trees_.predict(feature_row(schedule_features(spec, schedule, tokens, caches), columns_).data()));
}

}  // namespace lookupffn
