#include "bh4_matrix.h"

namespace lookupffn {

void hadamard_transform(Matrix& m, size_t p) {
  for (size_t step = 1; step < p; step *= 2) {
    for (size_t first = 0; first < p; first += 2 * step) {
      for (size_t k = first; k < first + step; ++k) {
        for (size_t i = 0; i < p; ++i) {
          const double a = m[k * p + i], b = m[(k + step) * p + i];
          m[k * p + i] = a + b;
          m[(k + step) * p + i] = a - b;
        }
      }
    }
  }
}

Matrix matrix_product(const Matrix& a, const Matrix& b, size_t p) {
  Matrix product(p * p, 0.0);
  for (size_t o = 0; o < p; ++o) {
    for (size_t k = 0; k < p; ++k) {
      for (size_t i = 0; i < p; ++i) product[o * p + i] += a[o * p + k] * b[k * p + i];
    }
  }
  return product;
}

Matrix bh4_stage_matrix(const float* blocks, size_t block, size_t p) {
  Matrix matrix(p * p, 0.0);
  for (size_t o = 0; o < p; ++o) {
    for (size_t i = 0; i < block; ++i) matrix[o * p + o / block * block + i] = blocks[o * block + i];
  }
  hadamard_transform(matrix, p);
  return matrix;
}

Matrix bh4_matrix(const float* weight, size_t block, size_t p, double decay) {
  Matrix all = bh4_stage_matrix(weight, block, p);
  for (size_t stage = 1; stage < 4; ++stage)
    all = matrix_product(bh4_stage_matrix(weight + stage * p * block, block, p), all, p);
  for (size_t o = 0; o < p; ++o) {
    for (size_t i = 0; i < p; ++i) all[o * p + i] = decay * all[o * p + i] + (o == i ? 1 - decay : 0);
  }
  return all;
}

}  // namespace lookupffn
