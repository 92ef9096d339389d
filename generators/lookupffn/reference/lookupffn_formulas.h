// The layer's mathematics once more, naively and in double: the oracle of tests, tuner and tool. Written to be read
// beside the formulas, not to be fast. Everything is row-major, the last index contiguous.
#ifndef LOOKUPFFN_FORMULAS_H
#define LOOKUPFFN_FORMULAS_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plain_layer.h"

namespace lookupffn::reference {

// h = (x - mean) / sqrt(variance + eps) * gamma + beta, the variance over d_in (not d_in - 1); without LayerNorm h = x.
// x [tokens, d_in] -> h [tokens, d_in]
std::vector<double> layer_norm(const Layer& layer, const std::vector<float>& x);

// z = W h + b. h [tokens, d_in] -> z [tokens, tables, bits]
std::vector<double> dense_projection(const Layer& layer, const std::vector<double>& h);

// BH4, the same shapes.
std::vector<double> bh4_projection(const Layer& layer, const std::vector<double>& h);

// The one of the two that the layer has; without a projection z = h.
std::vector<double> projection(const Layer& layer, const std::vector<double>& h);

// x[k] <- sum_n (-1)^popcount(k & n) x[n], unnormalised, in place; the size is a power of two.
// Explicit takes size^2 steps and is the definition; the other is the same by butterflies.
void hadamard_explicit(std::vector<double>& x);
void hadamard(std::vector<double>& x);

struct Hash {
  std::vector<int32_t> code;  // [tokens, tables]
  std::vector<double> score;  // [tokens, tables]
};

// code[t] = sum_j (z[t,j] > 0) << (bits-1-j), or z[t,j] >= 0 by the layer's rules; score[t] = sum_j |z[t,j]| / prod_j (1 +
// exp(-2 |z[t,j]|))
Hash code_and_score(const Layer& layer, const std::vector<double>& z);

// y = bias + sum_t score[t] * table[t, code[t], :]. code, score [tokens, tables] -> y [tokens, d_out].
// Takes codes and scores of any origin: where a kernel's code may differ from the reference's (|z| under
// kZeroMargin of tolerance.h), its y must still follow from its own codes.
std::vector<double> gather(const Layer& layer, const std::vector<int32_t>& code, const std::vector<double>& score);

struct Result {
  std::vector<double> z;      // [tokens, tables, bits]
  std::vector<int32_t> code;  // [tokens, tables]
  std::vector<double> score;  // [tokens, tables]
  std::vector<double> y;      // [tokens, d_out]
};

// The whole layer. x [tokens, d_in]
Result forward(const Layer& layer, const std::vector<float>& x);

// What follows the projection. z [tokens, tables, bits]
Result with_z(const Layer& layer, std::vector<double> z);

}  // namespace lookupffn::reference
#endif
