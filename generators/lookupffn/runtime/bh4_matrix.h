// BH4 as dense matrices, in double. A matrix [p, p] holds the values [output, input].
#ifndef LOOKUPFFN_BH4_MATRIX_H
#define LOOKUPFFN_BH4_MATRIX_H

#include <cstddef>
#include <vector>

namespace lookupffn {

using Matrix = std::vector<double>;

// m = H m, m [p, p]: H the unnormalised Sylvester-Hadamard matrix, p a power of two.
void hadamard_transform(Matrix& m, size_t p);

// a b, both [p, p].
Matrix matrix_product(const Matrix& a, const Matrix& b, size_t p);

// T = H_p B: p consecutive outputs of one stage's block-diagonal product, transformed. blocks holds the p / block matrices,
// [block, block] each.
Matrix bh4_stage_matrix(const float* blocks, size_t block, size_t p);

// decay T3 T2 T1 T0 + (1 - decay) I of one repeat. weight [4 stages, p, block].
Matrix bh4_matrix(const float* weight, size_t block, size_t p, double decay);

}  // namespace lookupffn
#endif
