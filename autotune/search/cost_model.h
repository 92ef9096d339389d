// What a schedule should cost, by counting: no measurement, no kernel.
#ifndef LOOKUPFFN_COST_MODEL_H
#define LOOKUPFFN_COST_MODEL_H

#include <cstddef>
#include <cstdint>

#include "kernel_spec.h"
#include "schedule.h"

namespace lookupffn {

struct CacheSizes {
  int64_t l1d = 48 << 10, l2 = 2 << 20, l3 = 32 << 20;
};

// Nanoseconds a token or so: products by vector width, loads by the cache level that their footprint fits,
// a penalty for register tiles that spill. Only the order of the estimates matters, and only roughly: the
// search takes them as a first guess and corrects it by what it measures. Parameters that it does not know
// cost nothing. Positive.
double estimated_cost(const KernelSpec& spec, const Schedule& schedule, size_t tokens,
                      const CacheSizes& caches);

// What the kernel does for one token, padding excluded.
struct KernelWork {
  double flops = 0;            // products and sums of the formula
  double table_bytes = 0;      // rows read
  double weight_bytes = 0;     // projection weights of the whole layer, read once a token tile
  double footprint_bytes = 0;  // what the rows or weights come from
};
KernelWork kernel_work(const KernelSpec& spec);

// The rate at which an ordinary core reads from a footprint.
double bytes_per_ns(double footprint, const CacheSizes& caches);

// "L1", "L2", "L3" or "memory": the smallest that holds so many bytes.
const char* memory_level(double bytes, const CacheSizes& caches);

}  // namespace lookupffn
#endif
