#include "trial.h"

#include <stdexcept>

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
  if (trial.status == TrialStatus::kOk) {
    object["us_per_token"] = trial.us_per_token;
    object["incumbent_us_per_token"] = trial.incumbent_us_per_token;
    object["cost"] = trial.cost;
    object["samples"] = trial.samples;
    object["ended_early"] = trial.ended_early;
  } else {
    object["reason"] = trial.reason;
  }
  return object;
}

Trial trial_from_json(const nlohmann::json& object) {
  Trial trial;
  trial.spec.kernel = object.at("kernel").get<std::string>();
  trial.spec.isa = object.at("isa").get<std::string>();
  trial.spec.batch_class = object.at("batch_class").get<std::string>();
  trial.spec.problem = object.at("problem").get<std::map<std::string, std::string>>();
  trial.tokens = object.at("tokens").get<size_t>();
  trial.schedule = object.at("schedule").get<Schedule>();
  trial.status = parse_status(object.at("status").get<std::string>());
  trial.proposed_by = object.value("proposed_by", "");
  trial.compile_seconds = object.value("compile_seconds", 0.0);
  trial.measure_seconds = object.value("measure_seconds", 0.0);
  trial.object_hash = object.value("object_hash", "");
  trial.reason = object.value("reason", "");
  if (trial.status == TrialStatus::kOk) {
    trial.us_per_token = object.at("us_per_token").get<double>();
    trial.incumbent_us_per_token = object.at("incumbent_us_per_token").get<double>();
    trial.cost = object.at("cost").get<double>();
    trial.samples = object.at("samples").get<std::vector<double>>();
    trial.ended_early = object.at("ended_early").get<bool>();
    if (!(trial.cost > 0)) throw std::runtime_error("a trial's cost is not positive");
  }
  return trial;
}

}  // namespace lookupffn
