// BH4 of p < 16 as the dense matrix that it amounts to.
#ifndef LOOKUPFFN_TINY_BH4_H
#define LOOKUPFFN_TINY_BH4_H

#include <cstddef>

#include "lookupffn/lookupffn.h"

namespace lookupffn {

// W [tables * bits, d_in] at `stride`: bh4_matrix() of each repeat.
void multiply_out_bh4(const lookupffn_shape& shape, const float* weight, float* dense, size_t stride);

// The gradient by W -> by weight.
void bh4_gradient_of_dense(const lookupffn_shape& shape, const float* weight, const float* d_dense, size_t stride,
                           float* d_weight);

}  // namespace lookupffn
#endif
