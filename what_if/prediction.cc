#include "prediction.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "atomic_file.h"
#include "compiler_family.h"
#include "isas.h"
#include "json_fields.h"
#include "weight_types.h"
#include "workload.h"

namespace lookupffn::what_if {
namespace {

// How unlike a recorded setting is. What changes a kernel's code most counts most.
constexpr double kOtherType = 8, kOtherIsa = 4, kOtherThreads = 2, kOtherShape = 1, kTwiceTheTokens = 0.5;

double model_us(const std::string& part, const Setting& setting, const MachineDescription& machine, std::string* bound_by) {
  const KernelTime hash = part == "gather" ? KernelTime() : hash_time(machine, setting);
  const KernelTime gather = part == "hash" ? KernelTime() : gather_time(machine, setting);
  if (bound_by) {
    *bound_by = part == "hash"                  ? hash.bound_by()
                : part == "gather"              ? gather.bound_by()
                : hash.total() > gather.total() ? std::string("hash: ") + hash.bound_by()
                                                : std::string("gather: ") + gather.bound_by();
  }
  return hash.total() + gather.total();
}

// How many steps two ISAs are apart in the order of their widths.
double isa_steps(const std::string& a, const std::string& b) {
  const auto depth = [](const std::string& isa) { return double(isa_lineage(isa_row(isa)).size()); };
  return a == b ? 0 : 1 + 0.1 * std::fabs(depth(a) - depth(b));
}

double unlikeness(const std::string& part, const Setting& a, const Setting& b) {
  double sum = kOtherIsa * isa_steps(a.isa, b.isa) + kTwiceTheTokens * std::fabs(std::log2(a.tokens / b.tokens));
  if (part != "hash" && a.table_type != b.table_type) sum += kOtherType;
  if (part != "gather" && a.projection_type != b.projection_type) sum += kOtherType;
  if (a.threads != b.threads) sum += kOtherThreads;
  if (!(a.shape == b.shape)) sum += kOtherShape;
  return sum;
}

}  // namespace

std::vector<Recorded> parse_run(const std::string& text, const std::string& name) {
  std::vector<Recorded> run;
  try {
    const nlohmann::json json = parse_json(text);
    if (!json.is_array()) throw std::runtime_error("it is not an array");
    for (const nlohmann::json& row : json) {
      if (text_field(row, "contender") != "lookupffn") continue;
      Recorded recorded;
      recorded.setting.shape = find_workload(text_field(row, "workload"));
      recorded.setting.table_type = weight_type_of(text_field(row, "table_type"), WeightRole::kTables).name;
      recorded.setting.projection_type = weight_type_of(text_field(row, "projection_type"), WeightRole::kProjections).name;
      recorded.setting.isa = isa_row(text_field(row, "isa")).name;
      recorded.setting.tokens = double(count_field(row, "tokens", 1, uint64_t(1) << 40));
      recorded.setting.threads = double(count_field(row, "threads", 1, 1 << 20));
      recorded.part = text_field(row, "part");
      if (recorded.part != "hash" && recorded.part != "gather" && recorded.part != "all") {
        throw std::runtime_error("there is no part '" + recorded.part + "'");
      }
      recorded.us = real_field(row, "us_per_token", 1e-9, 1e12);
      run.push_back(std::move(recorded));
    }
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(name + " is no run of lookupffn_compare: " + error.what());
  }
  if (run.empty())
    throw std::runtime_error(name + " has no times of contender lookupffn: record them with lookupffn_compare --json");
  return run;
}

std::vector<Recorded> load_run(const std::string& path) { return parse_run(read_file(path), path); }

Predictor::Predictor(std::vector<Recorded> run, const MachineDescription& machine) {
  if (run.empty()) throw std::runtime_error("a prediction needs a recorded run");
  for (Recorded& recorded : run) {
    const double factor = recorded.us / model_us(recorded.part, recorded.setting, machine, nullptr);
    points_.push_back({std::move(recorded), factor});
  }
}

Prediction Predictor::predict(const std::string& part, const Setting& setting, const MachineDescription& machine) const {
  double nearest = std::numeric_limits<double>::infinity(), logs = 0;
  size_t count = 0;
  for (const Point& point : points_) {
    if (point.recorded.part != part) continue;
    const double distance = unlikeness(part, setting, point.recorded.setting);
    if (distance > nearest + 1e-9) continue;
    if (distance < nearest - 1e-9) logs = 0, count = 0;
    nearest = std::min(nearest, distance);
    logs += std::log(point.factor);
    ++count;
  }
  if (count == 0) throw std::runtime_error("the run has no times of part " + part);
  Prediction prediction;
  prediction.factor = std::exp(logs / double(count));
  prediction.us = prediction.factor * model_us(part, setting, machine, &prediction.bound_by);
  return prediction;
}

std::string describe(const Recorded& recorded) {
  const Setting& setting = recorded.setting;
  return recorded.part + ", " + describe(setting.shape) + ", " + setting.isa + ", " + setting.table_type + " tables, " +
         setting.projection_type + " projection, " + std::to_string(size_t(setting.tokens)) + " tokens, " +
         std::to_string(size_t(setting.threads)) + (setting.threads == 1 ? " thread" : " threads");
}

Accuracy accuracy(const Predictor& predictor, const std::vector<Recorded>& measured, const MachineDescription& machine) {
  Accuracy result;
  std::vector<double>& errors = result.errors;
  for (const Recorded& one : measured) {
    const double error = std::fabs(predictor.predict(one.part, one.setting, machine).us / one.us - 1);
    if (errors.empty() || error > result.worst) {
      result.worst = error;
      result.worst_at = describe(one);
    }
    errors.push_back(error);
  }
  std::sort(errors.begin(), errors.end());
  result.points = errors.size();
  if (!errors.empty()) {
    const size_t half = errors.size() / 2;
    result.median = errors.size() % 2 == 1 ? errors[half] : (errors[half - 1] + errors[half]) / 2;
  }
  return result;
}

}  // namespace lookupffn::what_if
