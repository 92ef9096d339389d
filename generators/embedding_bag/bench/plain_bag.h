// The embedding bag as anybody would write it, compiled for this machine's CPU.
#ifndef LOOKUPFFN_BENCH_PLAIN_BAG_H
#define LOOKUPFFN_BENCH_PLAIN_BAG_H

#include <cstddef>
#include <cstdint>

namespace lookupffn::bench {

// y [bags, d]: the sums of the bags' rows.
void plain_bag(const float* table, size_t d, const int64_t* ids, size_t count, const int64_t* offsets, size_t bags, float* y);

}  // namespace lookupffn::bench
#endif
