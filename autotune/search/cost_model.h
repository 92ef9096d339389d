// What a schedule should cost, by counting: no measurement, no kernel.
#ifndef LOOKUPFFN_COST_MODEL_H
#define LOOKUPFFN_COST_MODEL_H

#include <cstddef>

#include "kernel_description.h"

namespace lookupffn {

// Nanoseconds a token or so: products by vector width, loads by the cache level that their footprint fits,
// a penalty for register tiles that spill, as the kernel's family counts them. Only the order of the estimates matters, and
// only roughly: the search takes them as a first guess and corrects it by what it measures. Parameters that it does not know
// cost nothing. Positive.
double estimated_cost(const KernelSpec& spec, const Schedule& schedule, size_t tokens, const CacheSizes& caches);

// "L1", "L2", "L3" or "memory": the smallest that holds so many bytes.
const char* memory_level(double bytes, const CacheSizes& caches);

}  // namespace lookupffn
#endif
