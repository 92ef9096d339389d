#include "kernel_outcome.h"

#include "json_fields.h"
#include "trial/trial.h"

namespace lookupffn {

nlohmann::json to_json(const KernelOutcome& outcome) {
  // Not "schedule" and "status": those are a trial's.
  return {{"type", "outcome"},
          {"kernel", outcome.spec.kernel},
          {"isa", outcome.spec.isa},
          {"batch_class", outcome.spec.batch_class},
          {"problem", outcome.spec.problem},
          {"tokens", outcome.tokens},
          {"trials", outcome.trials},
          {"default_us", outcome.default_us},
          {"best_us", outcome.best_us},
          {"gain", outcome.gain},
          {"gain_low", outcome.gain_low},
          {"gain_high", outcome.gain_high},
          {"best_schedule", outcome.schedule},
          {"record", outcome.record},
          {"note", outcome.note}};
}

KernelOutcome outcome_from_json(const nlohmann::json& object) {
  KernelOutcome outcome;
  outcome.spec = kernel_spec_from_json(object);
  outcome.tokens = count_field(object, "tokens", 1, kMostLoggedCount);
  outcome.trials = count_field(object, "trials", 0, kMostLoggedCount);
  outcome.default_us = real_field(object, "default_us", 0, kMostLoggedReal);
  outcome.best_us = real_field(object, "best_us", 0, kMostLoggedReal);
  outcome.gain = real_field(object, "gain", 0, kMostLoggedReal);
  outcome.gain_low = real_field(object, "gain_low", 0, kMostLoggedReal);
  outcome.gain_high = real_field(object, "gain_high", 0, kMostLoggedReal);
  outcome.schedule = pairs_field(object, "best_schedule");
  outcome.record = text_field(object, "record");
  outcome.note = text_field(object, "note");
  return outcome;
}

}  // namespace lookupffn
