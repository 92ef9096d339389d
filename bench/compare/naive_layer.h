// The formulas in float64, one token at a time: what every contender is checked against before it is timed.
#ifndef LOOKUPFFN_BENCH_NAIVE_LAYER_H
#define LOOKUPFFN_BENCH_NAIVE_LAYER_H

#include <cstdint>
#include <vector>

#include "dense_ffn.h"
#include "synthetic_layer.h"

namespace lookupffn::bench {

struct NaiveHash {
  std::vector<double> z;      // [tables * bits]
  std::vector<int32_t> code;  // [tables]
  std::vector<double> score;  // [tables]
};

NaiveHash naive_hash(const SyntheticLayer& layer, const float* x);

// y = bias + sum_t score[t] * table[t, code[t], :]
std::vector<double> naive_gather(const SyntheticLayer& layer, const int32_t* code, const double* score);

// y = w2 gelu(w1 x + b1) + b2, the exact (erf) GELU
std::vector<double> naive_dense_ffn(const DenseFfn& ffn, const float* x);

}  // namespace lookupffn::bench
#endif
