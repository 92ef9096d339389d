// One schedule, tried: what came of it.
#ifndef LOOKUPFFN_TRIAL_H
#define LOOKUPFFN_TRIAL_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "schedule.h"

namespace lookupffn {

enum class TrialStatus {
  kOk,
  kCompile,    // the generator or the linker failed, or took too long
  kTimeout,    // the measuring program did not end in time
  kCrash,      // it died, or nothing that makes sense came back from where it ran
  kIncorrect,  // the results are not the reference's, or their bits not the default schedule's
};

constexpr TrialStatus kTrialStatuses[] = {TrialStatus::kOk, TrialStatus::kCompile, TrialStatus::kTimeout, TrialStatus::kCrash,
                                          TrialStatus::kIncorrect};

const char* status_name(TrialStatus status);  // "ok", "compile", "timeout", "crash", "incorrect"
// Throws std::runtime_error for another name.
TrialStatus parse_status(const std::string& name);

struct Trial {
  KernelSpec spec;
  size_t tokens = 0;  // tokens a call
  Schedule schedule;
  TrialStatus status = TrialStatus::kOk;
  std::string reason;  // one line where the status is not ok

  // Where the status is ok: medians, both measured in turn in one process.
  double us_per_token = 0, incumbent_us_per_token = 0;
  double cost = 0;              // the default schedule's is 1: what trials are compared by, free of the machine's drift
  std::vector<double> samples;  // us a token
  bool ended_early = false;     // few samples, as it was clearly slower
  std::map<std::string, double> counters;  // hardware's, a token; none where the system offers none

  std::string proposed_by;  // "default", "model", "random", ...
  double compile_seconds = 0, measure_seconds = 0;
  std::string board;        // the --runner that it was measured by; "": the tuner's machine
  std::string object_hash;  // of the code that was measured; "" where nothing was, or in logs of before
};

// Of numbers in a log: more is a mistake.
constexpr uint64_t kMostLoggedCount = 1'000'000'000;
constexpr double kMostLoggedReal = 1e12;
constexpr double kLeastLoggedCost = 1e-12;  // a cost is divided by

// As a line of the log. Throws std::runtime_error where the object is no trial.
nlohmann::json to_json(const Trial& trial);
Trial trial_from_json(const nlohmann::json& object);

// The members of a line that say which kernel it is of: kernel, isa, batch_class, problem.
KernelSpec kernel_spec_from_json(const nlohmann::json& object);

}  // namespace lookupffn
#endif
