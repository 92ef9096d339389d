// Runs a search strategy against a recorded sweep instead of a machine.
#ifndef LOOKUPFFN_REPLAY_H
#define LOOKUPFFN_REPLAY_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "learned_costs.h"
#include "trial/trial_log.h"

namespace lookupffn {

struct ReplayOptions {
  std::string strategy = "model";
  size_t trials = 0;              // a kernel; 0: a tenth of its points
  uint64_t seed = 1;              // of the first run
  size_t runs = 20;               // with one seed each
  bool from_default = true;       // begin with the sweep's default schedule, as a live run does
  size_t batch = 4;               // trials that are proposed together, as when two compilers run at a time
  std::vector<LearnedFrom> logs;  // to learn from; what they say of the kernel at hand itself is left out
};

struct ReplayResult {
  std::string kernel;
  size_t points = 0, trials = 0;
  std::vector<std::vector<double>> found;  // of each run: after each trial, the best cost so far over the best of the sweep
  double search_seconds = 0;               // of choosing, a trial

  // After so many trials: the best cost over the best of the sweep, minus 1, of each run, ascending.
  std::vector<double> excess(size_t after) const;
  double median_excess(size_t after) const;
};

// One result a kernel of the log. Throws std::runtime_error where the log holds no kernel that can be
// searched, std::invalid_argument for an unknown strategy.
std::vector<ReplayResult> replay(const LogContent& log, const ReplayOptions& options);

}  // namespace lookupffn
#endif
