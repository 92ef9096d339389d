// What came of tuning one kernel.
#ifndef LOOKUPFFN_KERNEL_OUTCOME_H
#define LOOKUPFFN_KERNEL_OUTCOME_H

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "kernel_spec.h"
#include "schedule.h"

namespace lookupffn {

struct KernelOutcome {
  KernelSpec spec;
  size_t tokens = 0;
  size_t trials = 0;
  double default_us = 0, best_us = 0;            // us a token, of the fresh samples; 0: not measured
  double gain = 1, gain_low = 1, gain_high = 1;  // of medians, and its spread
  Schedule schedule;                             // the default's where nothing is better
  std::string record;                            // path, "" where none was written
  std::string note;                              // why not, or what went wrong
  double trials_share = 0;                       // of the search's time: building and measuring; the rest chose. Not logged
};

// As a line of the log. Throws std::runtime_error where the object is no outcome.
nlohmann::json to_json(const KernelOutcome& outcome);
KernelOutcome outcome_from_json(const nlohmann::json& object);

}  // namespace lookupffn
#endif
