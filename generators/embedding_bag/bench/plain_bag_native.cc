#include <algorithm>

#include "plain_bag.h"

namespace lookupffn::bench {

void plain_bag(const float* table, size_t d, const int64_t* ids, size_t count, const int64_t* offsets, size_t bags, float* y) {
  for (size_t b = 0; b < bags; ++b) {
    float* __restrict__ const sum = y + b * d;
    std::fill(sum, sum + d, 0.0f);
    const size_t end = b + 1 < bags ? size_t(offsets[b + 1]) : count;
    for (size_t i = size_t(offsets[b]); i < end; ++i) {
      const float* const row = table + size_t(ids[i]) * d;
      for (size_t k = 0; k < d; ++k) sum[k] += row[k];
    }
  }
}

}  // namespace lookupffn::bench
