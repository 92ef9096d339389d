#include "schedule_features.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "cost_model.h"
#include "isa_target.h"

namespace lookupffn {
namespace {

std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

double logarithm(double value) { return std::log2(std::clamp(value, 1e-6, 1e15)); }

void add_loop_nest(const LoopNest& nest, double registers, const CacheSizes& caches, Features* features) {
  Features& out = *features;
  const std::pair<const char*, double> counts[] = {
      {"multiply_adds", nest.multiply_adds},
      {"loads", nest.loads},
      {"sums_in_flight", nest.sums_in_flight},
      {"starts", nest.starts},
      {"bytes", nest.bytes},
      {"kept_bytes", nest.kept_bytes},
      {"fetches", nest.fetches},
      {"fetched_bytes", nest.fetched_bytes},
  };
  for (const auto& [name, value] : counts) {
    if (value > 0) out[std::string("nest ") + name] = logarithm(value);
  }
  if (nest.multiply_adds > 0) {
    out["nest loads by multiply_adds"] = nest.loads / nest.multiply_adds;
    out["nest kept_bytes by multiply_adds"] = logarithm(1 + nest.kept_bytes / nest.multiply_adds);
    out["nest starts by multiply_adds"] = logarithm(nest.starts / nest.multiply_adds);
  }
  out["nest registers by ISA's"] = nest.live_registers / registers;
  const std::pair<const char*, double> footprints[] = {
      {"inner", nest.inner_footprint}, {"turn", nest.turn_footprint}, {"whole", nest.footprint}};
  for (const auto& [name, bytes] : footprints) {
    if (!(bytes > 0)) continue;
    out[std::string("nest ") + name + " by L1"] = logarithm(bytes / double(caches.l1d));
    out[std::string("nest ") + name + " by L2"] = logarithm(bytes / double(caches.l2));
    out[std::string("nest ") + name + " by L3"] = logarithm(bytes / double(caches.l3));
  }
}

}  // namespace

std::vector<float> feature_row(const Features& features, const std::map<std::string, size_t>& columns) {
  std::vector<float> row(columns.size(), 0);
  for (const auto& [name, value] : features) {
    const auto column = columns.find(name);
    if (column != columns.end()) row[column->second] = static_cast<float>(value);
  }
  return row;
}

Features schedule_features(const KernelSpec& spec, const Schedule& schedule, size_t tokens, const CacheSizes& caches) {
  Features features;
  const IsaTarget isa = isa_target(spec.isa);
  features["kernel=" + spec.kernel] = 1;
  features["class=" + spec.batch_class] = 1;
  features["tokens"] = logarithm(double(std::max<size_t>(tokens, 1)));
  features["vector bytes"] = logarithm(isa.vector_bytes);
  features["vector registers"] = logarithm(isa.vector_registers);
  for (const auto& [name, text] : spec.problem) {
    const auto value = number(text);
    if (value && *value > 0) features["problem " + name] = logarithm(*value);
    if (!value) features["problem " + name + "=" + text] = 1;
  }
  for (const auto& [name, text] : schedule) {
    const auto value = number(text);
    if (value && *value > 0) features[name] = logarithm(1 + *value);
    if (!value || *value == 0) features[name + "=" + text] = 1;
  }
  const KernelDescription* kernel = find_kernel_description(spec);
  if (kernel == nullptr) return features;
  features["estimate"] = logarithm(estimated_cost(spec, schedule, tokens, caches));
  if (kernel->loop_nest) {
    add_loop_nest(kernel->loop_nest(spec, schedule, double(std::max<size_t>(tokens, 1))), double(isa.vector_registers), caches,
                  &features);
  }
  // A schedule of a damaged log may say anything; what is learned from are numbers.
  for (auto& [name, value] : features) {
    if (!std::isfinite(value)) value = 0;
  }
  return features;
}

}  // namespace lookupffn
