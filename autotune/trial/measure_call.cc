#include "measure_call.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "kernel_description.h"
#include "measure/result_line.h"
#include "shape_fields.h"

namespace lookupffn {

std::vector<std::string> measure_arguments(const MeasureRequest& request) {
  const TypedShape layer = kernel_description(request.spec).smallest_layer(request.spec);
  const auto decimal = [](double value) {
    std::string text = std::to_string(value);
    std::replace(text.begin(), text.end(), ',', '.');
    return text;
  };
  std::vector<std::string> arguments;
  for (const auto& [name, value] : shape_pairs(layer.shape)) arguments.push_back(name + "=" + value);
  arguments.insert(arguments.end(), {
                                        "kernel=" + request.spec.kernel,
                                        "isa=" + request.spec.isa,
                                        "table_type=" + layer.table_type,
                                        "projection_type=" + layer.projection_type,
                                        "tokens=" + std::to_string(request.tokens),
                                        "threads=" + std::to_string(request.threads),
                                        "objective=" + request.objective,
                                        "seed=" + std::to_string(request.seed),
                                        "samples=" + std::to_string(request.samples),
                                        "seconds=" + decimal(request.seconds),
                                        "good=" + decimal(request.good),
                                        "time_limit=" + decimal(request.time_limit),
                                        std::string("end_early=") + (request.may_end_early ? "1" : "0"),
                                    });
  return arguments;
}

Measurement parse_measurement(const std::string& output) {
  Measurement measurement;
  const auto body = find_result(output);
  if (!body) return measurement;
  try {
    const nlohmann::json object = nlohmann::json::parse(*body);
    const std::string status = object.at("status").get<std::string>();
    measurement.reason = object.value("reason", "");
    if (status == "ok") {
      measurement.incumbent = object.at("incumbent").get<std::vector<double>>();
      measurement.candidate = object.at("candidate").get<std::vector<double>>();
      measurement.ended_early = object.at("ended_early").get<bool>();
      measurement.counters = object.value("counters", std::map<std::string, double>());
      measurement.no_counters = object.value("no_counters", "");
      measurement.cpu = object.value("cpu", "");
      measurement.caches = object.value("caches", "");
      measurement.emulated = object.value("emulated", false);
      const auto plausible = [](double us) { return std::isfinite(us) && us > 0; };
      const bool sound = !measurement.candidate.empty() && measurement.candidate.size() == measurement.incumbent.size() &&
                         std::all_of(measurement.candidate.begin(), measurement.candidate.end(), plausible) &&
                         std::all_of(measurement.incumbent.begin(), measurement.incumbent.end(), plausible);
      if (sound) measurement.status = Measurement::Status::kOk;
    } else if (status == "incorrect") {
      measurement.status = Measurement::Status::kIncorrect;
    } else if (status == "crash") {
      measurement.status = Measurement::Status::kCrash;
    } else if (status == "timeout") {
      measurement.status = Measurement::Status::kTimeout;
    } else if (status == "unfit") {
      measurement.status = Measurement::Status::kUnfit;
    } else if (status == "started") {
      measurement.status = Measurement::Status::kStarted;
    }
  } catch (const nlohmann::json::exception&) {
    // The line is whole, as its hash says, but not one of ours.
  }
  return measurement;
}

}  // namespace lookupffn
