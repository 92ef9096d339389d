#include "replay.h"

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>

#include "cost_model.h"
#include "report.h"
#include "search_strategy.h"

namespace lookupffn {
namespace {

struct Sweep {
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

std::vector<ReplayResult> replay(const LogContent& log, const ReplayOptions& options) {
  const CacheSizes caches = caches_of(log.header);
  std::map<std::pair<KernelSpec, size_t>, Sweep> sweeps;
  for (const Trial& trial : log.trials) {
    Sweep& sweep = sweeps[{trial.spec, trial.tokens}];
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
    SearchHints hints;
    if (sweep.start && options.from_default) hints.starts.push_back(*space.find(*sweep.start));
    for (size_t i = 0; i < space.size(); ++i) {
      hints.estimated_cost.push_back(estimated_cost(kernel.first, space.point(i), kernel.second, caches));
    }
    ReplayResult result;
    result.kernel = label;
    result.points = space.size();
    result.trials = std::min(space.size(), options.trials > 0 ? options.trials : std::max<size_t>(1, space.size() / 20));
    for (size_t run = 0; run < std::max<size_t>(1, options.runs); ++run) {
      const auto strategy = make_search_strategy(options.strategy, space, hints, options.seed + run);
      double found = std::numeric_limits<double>::infinity();
      for (size_t done = 0; done < result.trials;) {
        const std::vector<size_t> batch = strategy->propose(std::min(options.batch, result.trials - done));
        if (batch.empty()) break;
        for (const size_t point : batch) {
          const std::optional<double> cost = sweep.costs[point];
          found = std::min(found, cost.value_or(found));
          strategy->observe(point, cost);
        }
        done += batch.size();
      }
      result.excess.push_back(found / best - 1);
    }
    std::sort(result.excess.begin(), result.excess.end());
    results.push_back(std::move(result));
  }
  if (results.empty()) throw std::runtime_error("the log holds no trial that was measured: there is nothing to replay");
  return results;
}

}  // namespace lookupffn
