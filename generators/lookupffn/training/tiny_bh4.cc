#include "tiny_bh4.h"

#include "bh4_matrix.h"
#include "tensor_limits.h"

namespace lookupffn {
namespace {

Matrix transposed(const Matrix& m, size_t p) {
  Matrix result(p * p);
  for (size_t o = 0; o < p; ++o) {
    for (size_t i = 0; i < p; ++i) result[i * p + o] = m[o * p + i];
  }
  return result;
}

}  // namespace

void multiply_out_bh4(const lookupffn_shape& shape, const float* weight, float* dense, size_t stride) {
  const size_t p = power_of_two_from(shape.d_in);
  for (size_t repeat = 0; repeat < shape.repeats; ++repeat) {
    const Matrix matrix = bh4_matrix(weight + repeat * 4 * p * shape.block, shape.block, p, shape.decay);
    for (size_t o = 0; o < p && repeat * p + o < shape.tables * shape.bits; ++o) {
      for (size_t i = 0; i < shape.d_in; ++i) dense[(repeat * p + o) * stride + i] = float(matrix[o * p + i]);
    }
  }
}

void bh4_gradient_of_dense(const lookupffn_shape& shape, const float* weight, const float* d_dense, size_t stride,
                           float* d_weight) {
  const size_t p = power_of_two_from(shape.d_in), block = shape.block;
  for (size_t repeat = 0; repeat < shape.repeats; ++repeat) {
    Matrix of_stage[4], before[4];  // T, and the product of the stages before; none before the first
    for (size_t stage = 0; stage < 4; ++stage) {
      of_stage[stage] = bh4_stage_matrix(weight + (repeat * 4 + stage) * p * block, block, p);
      if (stage > 0) before[stage] = stage == 1 ? of_stage[0] : matrix_product(of_stage[stage - 1], before[stage - 1], p);
    }
    Matrix behind(p * p, 0.0);  // the gradient by the product of this stage and those before
    for (size_t o = 0; o < p && repeat * p + o < shape.tables * shape.bits; ++o) {
      for (size_t i = 0; i < shape.d_in; ++i) behind[o * p + i] = shape.decay * double(d_dense[(repeat * p + o) * stride + i]);
    }
    for (size_t stage = 4; stage-- > 0;) {
      Matrix d_blocks = stage == 0 ? behind : matrix_product(behind, transposed(before[stage], p), p);
      hadamard_transform(d_blocks, p);  // H is symmetric
      float* const d = d_weight + (repeat * 4 + stage) * p * block;
      for (size_t o = 0; o < p; ++o) {
        for (size_t i = 0; i < block; ++i) d[o * block + i] = float(d_blocks[o * p + o / block * block + i]);
      }
      behind = matrix_product(transposed(of_stage[stage], p), behind, p);
    }
  }
}

}  // namespace lookupffn
