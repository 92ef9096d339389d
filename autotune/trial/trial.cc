#include "trial.h"

#include <stdexcept>

#include "isa_target.h"
#include "json_fields.h"
#include "kernel_description.h"

namespace lookupffn {

const char* status_name(TrialStatus status) {
  switch (status) {
    case TrialStatus::kOk:
      return "ok";
    case TrialStatus::kCompile:
      return "compile";
    case TrialStatus::kTimeout:
      return "timeout";
    case TrialStatus::kCrash:
      return "crash";
    case TrialStatus::kIncorrect:
      return "incorrect";
  }
  return "unknown";
}

TrialStatus parse_status(const std::string& name) {
  for (TrialStatus status : kTrialStatuses) {
    if (name == status_name(status)) return status;
  }
  throw std::runtime_error("'" + name + "' is no trial status");
}

nlohmann::json to_json(const Trial& trial) {
  nlohmann::json object = {
      {"type", "trial"},
      {"kernel", trial.spec.kernel},
      {"isa", trial.spec.isa},
      {"batch_class", trial.spec.batch_class},
      {"problem", trial.spec.problem},
      {"tokens", trial.tokens},
      {"schedule", trial.schedule},
      {"status", status_name(trial.status)},
      {"proposed_by", trial.proposed_by},
      {"compile_seconds", trial.compile_seconds},
      {"measure_seconds", trial.measure_seconds},
  };
  if (!trial.object_hash.empty()) object["object_hash"] = trial.object_hash;
  if (!trial.board.empty()) object["board"] = trial.board;
  if (trial.status == TrialStatus::kOk) {
    object["us_per_token"] = trial.us_per_token;
    object["incumbent_us_per_token"] = trial.incumbent_us_per_token;
    object["cost"] = trial.cost;
    object["samples"] = trial.samples;
    object["ended_early"] = trial.ended_early;
    if (!trial.counters.empty()) object["counters"] = trial.counters;
  } else {
    object["reason"] = trial.reason;
  }
  return object;
}

KernelSpec kernel_spec_from_json(const nlohmann::json& object) {
  KernelSpec spec;
  spec.kernel = text_field(object, "kernel");
  spec.isa = isa_target(text_field(object, "isa")).name;
  spec.batch_class = text_field(object, "batch_class");
  spec.problem = pairs_field(object, "problem");
  try {
    if (find_kernel_description(spec)) kernel_work(spec);
  } catch (const std::logic_error&) {  // a parameter is missing, or is no number
    throw std::runtime_error("'problem' is not one of kernel '" + spec.kernel + "'");
  }
  return spec;
}

Trial trial_from_json(const nlohmann::json& object) {
  const auto text = [&object](const char* name) { return object.contains(name) ? text_field(object, name) : ""; };
  const auto seconds = [&object](const char* name) {
    return object.contains(name) ? real_field(object, name, 0, kMostLoggedReal) : 0;
  };
  Trial trial;
  trial.spec = kernel_spec_from_json(object);
  trial.tokens = count_field(object, "tokens", 1, kMostLoggedCount);
  trial.schedule = pairs_field(object, "schedule");
  trial.status = parse_status(text_field(object, "status"));
  trial.proposed_by = text("proposed_by");
  trial.compile_seconds = seconds("compile_seconds");
  trial.measure_seconds = seconds("measure_seconds");
  trial.reason = text("reason");
  trial.board = text("board");
  trial.object_hash = text("object_hash");
  if (trial.status == TrialStatus::kOk) {
    trial.us_per_token = real_field(object, "us_per_token", 0, kMostLoggedReal);
    trial.incumbent_us_per_token = real_field(object, "incumbent_us_per_token", 0, kMostLoggedReal);
    trial.cost = real_field(object, "cost", kLeastLoggedCost, kMostLoggedReal);
    trial.samples = reals_field(object, "samples", 0, kMostLoggedReal);
    trial.ended_early = flag_field(object, "ended_early");
    if (object.contains("counters")) {
      for (const auto& [name, count] : object["counters"].items()) {
        trial.counters[name] = real_field(object["counters"], name.c_str(), 0, kMostLoggedReal);
      }
    }
  }
  return trial;
}

}  // namespace lookupffn
