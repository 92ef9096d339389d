#include "cost_model.h"

#include <algorithm>

namespace lookupffn {
namespace {

constexpr double kMostEstimated = 1e15;  // ns a token

}  // namespace

const char* memory_level(double bytes, const CacheSizes& caches) {
  if (bytes <= double(caches.l1d)) return "L1";
  if (bytes <= double(caches.l2)) return "L2";
  if (bytes <= double(caches.l3)) return "L3";
  return "memory";
}

double estimated_cost(const KernelSpec& spec, const Schedule& schedule, size_t tokens, const CacheSizes& caches) {
  const KernelDescription& kernel = kernel_description(spec);
  if (!kernel.cost) return 1;
  const double cost = kernel.cost(spec, schedule, static_cast<double>(std::max<size_t>(tokens, 1)), caches);
  // A schedule of a damaged log may say anything; what it is estimated at is a number.
  if (!(cost < kMostEstimated)) return kMostEstimated;
  return std::max(cost, 1e-3);
}

}  // namespace lookupffn
