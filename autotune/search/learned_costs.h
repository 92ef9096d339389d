// What a schedule should cost, learned from the trials of other kernels, shapes, types and ISAs.
#ifndef LOOKUPFFN_LEARNED_COSTS_H
#define LOOKUPFFN_LEARNED_COSTS_H

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "boosted_trees.h"
#include "kernel_description.h"
#include "schedule_features.h"
#include "trial/trial_log.h"

namespace lookupffn {

// Trials to learn from, of machines with these caches.
struct LearnedFrom {
  std::vector<Trial> trials;
  CacheSizes caches;
};

// All logs SCHEDULES_DIR/sweeps/*.jsonl.gz that can be read.
std::vector<LearnedFrom> recorded_trials(const std::vector<std::string>& schedules_dirs);

// Immutable; may be shared between threads.
class LearnedCosts {
 public:
  // Without trials nothing is known. Trials of kernel `but` at `but_tokens` are left out: what is asked about may not be the
  // answer. Of a kernel with thousands of trials some hundreds are looked at, so that none drowns the others.
  LearnedCosts(const std::vector<LearnedFrom>& logs, const KernelSpec& but, size_t but_tokens);

  bool empty() const { return columns_.empty(); }

  // In units of what the kernel's points cost about: only compares schedules of one kernel. Positive.
  double cost(const KernelSpec& spec, const Schedule& schedule, size_t tokens, const CacheSizes& caches) const;

 private:
  std::map<std::string, size_t> columns_;
  BoostedTrees trees_;
};

}  // namespace lookupffn
#endif
