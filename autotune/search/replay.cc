#include "replay.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>

#include "cost_model.h"
#include "learned_costs.h"
#include "report.h"
#include "search_strategy.h"

namespace lookupffn {
namespace {

struct Sweep {
  std::set<Schedule> seen;
  std::vector<Schedule> points;
  std::vector<std::optional<double>> costs;
  std::optional<Schedule> start;
};

double best_cost(const Sweep& sweep) {
  double best = std::numeric_limits<double>::infinity();
  for (const auto& cost : sweep.costs) best = std::min(best, cost.value_or(best));
  return best;
}

LegalSchedules space_of(const Sweep& sweep, const std::string& label) {
  try {
    return LegalSchedules(sweep.points);
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error(label + ": " + error.what());
  }
}

}  // namespace

std::vector<double> ReplayResult::excess(size_t after) const {
  std::vector<double> excess;
  for (const std::vector<double>& run : found) {
    excess.push_back(run.empty() || after == 0 ? std::numeric_limits<double>::infinity()
                                               : run[std::min(after, run.size()) - 1] - 1);
  }
  std::sort(excess.begin(), excess.end());
  return excess;
}

double ReplayResult::median_excess(size_t after) const { return excess(after)[found.size() / 2]; }

std::vector<ReplayResult> replay(const LogContent& log, const ReplayOptions& options) {
  const CacheSizes caches = caches_of(log.header);
  std::map<std::pair<KernelSpec, size_t>, Sweep> sweeps;
  for (const Trial& trial : log.trials) {
    Sweep& sweep = sweeps[{trial.spec, trial.tokens}];
    if (!sweep.seen.insert(trial.schedule).second) continue;  // a default that failed at first
    if (trial.proposed_by == "default") sweep.start = trial.schedule;
    sweep.points.push_back(trial.schedule);
    sweep.costs.push_back(trial.status == TrialStatus::kOk ? std::optional<double>(trial.cost) : std::nullopt);
  }
  std::vector<ReplayResult> results;
  for (const auto& [kernel, sweep] : sweeps) {
    const double best = best_cost(sweep);
    if (!(best < std::numeric_limits<double>::infinity())) continue;
    const std::string label = kernel_label(kernel.first, kernel.second);
    const LegalSchedules space = space_of(sweep, label);
    const LearnedCosts learned(options.logs, kernel.first, kernel.second);
    std::map<Schedule, double> estimates;  // the same for all runs
    for (size_t i = 0; i < space.size(); ++i) {
      const Schedule& point = space.point(i);
      estimates[point] = learned.empty() ? estimated_cost(kernel.first, point, kernel.second, caches)
                                         : learned.cost(kernel.first, point, kernel.second, caches);
    }
    SearchHints hints;
    if (sweep.start && options.from_default) hints.starts.push_back(*space.find(*sweep.start));
    hints.estimated_cost = [&estimates](const Schedule& point) { return estimates.at(point); };
    std::map<Schedule, Features> features;
    for (size_t i = 0; i < space.size(); ++i) {
      features[space.point(i)] = schedule_features(kernel.first, space.point(i), kernel.second, caches);
    }
    hints.features = [&features](const Schedule& point) { return features.at(point); };
    ReplayResult result;
    result.kernel = label;
    result.points = space.size();
    result.trials = std::min(space.size(), options.trials > 0 ? options.trials : std::max<size_t>(1, space.size() / 10));
    std::chrono::steady_clock::duration choosing{};
    for (size_t run = 0; run < std::max<size_t>(1, options.runs); ++run) {
      const auto strategy = make_search_strategy(options.strategy, space, hints, options.seed + run);
      double best_found = std::numeric_limits<double>::infinity();
      std::vector<double> found;
      while (found.size() < result.trials) {
        const auto begun = std::chrono::steady_clock::now();
        const std::vector<size_t> batch = strategy->propose(std::min(options.batch, result.trials - found.size()));
        choosing += std::chrono::steady_clock::now() - begun;
        if (batch.empty()) break;
        for (const size_t point : batch) {
          const std::optional<double> cost = sweep.costs[point];
          best_found = std::min(best_found, cost.value_or(best_found));
          found.push_back(best_found / best);
          strategy->observe(point, cost);
        }
      }
      result.found.push_back(std::move(found));
    }
    result.search_seconds =
        std::chrono::duration<double>(choosing).count() / static_cast<double>(result.found.size() * result.trials);
    results.push_back(std::move(result));
  }
  if (results.empty()) throw std::runtime_error("the log holds no trial that was measured: there is nothing to replay");
  return results;
}

}  // namespace lookupffn
