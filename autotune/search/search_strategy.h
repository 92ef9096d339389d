// Strategies that choose which schedule to try next. They never measure: whoever runs the search does,
// live (tune.h) or from a recorded sweep (replay.h).
#ifndef LOOKUPFFN_SEARCH_STRATEGY_H
#define LOOKUPFFN_SEARCH_STRATEGY_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "legal_schedules.h"
#include "schedule_features.h"

namespace lookupffn {

// What is known before the first trial.
struct SearchHints {
  std::vector<size_t> starts;  // the default first, then points transferred from records; no repeats
  // Of any schedule, in any unit, positive (cost_model.h, learned_costs.h); or empty. Asked once a point.
  std::function<double(const Schedule&)> estimated_cost;
  // Of any schedule: numbers that its cost depends on (schedule_features.h); or empty. Asked once a point.
  std::function<Features(const Schedule&)> features;
};

// Proposes each point once at most. Points may be added to the space between calls. Same seed and same observations, same
// proposals. Not thread-safe.
class SearchStrategy {
 public:
  virtual ~SearchStrategy() = default;

  // Up to `count` points that were neither proposed nor observed yet; none when all were.
  virtual std::vector<size_t> propose(size_t count) = 0;

  // A trial's outcome: its cost in any unit that all trials share, or none where it failed. Trials that were
  // not proposed (of a resumed log) are welcome.
  virtual void observe(size_t point, std::optional<double> cost) = 0;
};

// name: "model" (defaults and transferred points, then a cost model blended with regression over the trials),
// "random" (every point is as likely), or "exhaustive" (all points in order). `space` must outlive the
// strategy. Throws std::invalid_argument for another name.
std::unique_ptr<SearchStrategy> make_search_strategy(const std::string& name, const LegalSchedules& space,
                                                     const SearchHints& hints, uint64_t seed);

}  // namespace lookupffn
#endif
