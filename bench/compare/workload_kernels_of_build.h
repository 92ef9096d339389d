// The kernels that were made for all families' workloads when the benchmarks were built.
#ifndef LOOKUPFFN_BENCH_WORKLOAD_KERNELS_OF_BUILD_H
#define LOOKUPFFN_BENCH_WORKLOAD_KERNELS_OF_BUILD_H

#include "lookupffn/lookupffn.h"

namespace lookupffn::bench {

// Registers them, if any were made.
lookupffn_status register_workload_kernels();

}  // namespace lookupffn::bench
#endif
