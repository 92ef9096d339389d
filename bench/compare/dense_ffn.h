// The weights of the dense feed-forward layer that a LookupFFN layer stands in for.
#ifndef LOOKUPFFN_BENCH_DENSE_FFN_H
#define LOOKUPFFN_BENCH_DENSE_FFN_H

#include <cmath>
#include <cstddef>
#include <vector>

#include "random_numbers.h"

namespace lookupffn::bench {

struct DenseFfn {
  size_t d, hidden;           // hidden = 4 d
  std::vector<float> w1, b1;  // [hidden, d], [hidden]
  std::vector<float> w2, b2;  // [d, hidden], [d]
};

inline DenseFfn make_dense_ffn(size_t d) {
  RandomNumbers random(3);
  const auto spread = [&random](size_t count, float deviation) {
    std::vector<float> values(count);
    for (float& value : values) value = random.spread(deviation);
    return values;
  };
  DenseFfn ffn;
  ffn.d = d;
  ffn.hidden = 4 * d;
  ffn.w1 = spread(ffn.hidden * d, 1 / std::sqrt(static_cast<float>(d)));
  ffn.b1 = spread(ffn.hidden, 0.1f);
  ffn.w2 = spread(ffn.hidden * d, 1 / std::sqrt(static_cast<float>(ffn.hidden)));
  ffn.b2 = spread(d, 0.1f);
  return ffn;
}

}  // namespace lookupffn::bench
#endif
