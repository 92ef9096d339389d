#include "tiny_bh4.h"

#include <vector>

namespace lookupffn {
namespace {

using Matrix = std::vector<double>;  // [p, p], [o, i]

struct Stages {
  size_t p;
  Matrix t[4];

  Stages(const lookupffn_shape& shape, const float* weight, size_t repeat) : p(1) {
    while (p < shape.d_in) p *= 2;
    const size_t block = shape.block;
    for (size_t stage = 0; stage < 4; ++stage) {
      const float* const w = weight + (repeat * 4 + stage) * p * block;
      Matrix blocks(p * p, 0.0);
      for (size_t o = 0; o < p; ++o) {
        for (size_t i = 0; i < block; ++i) blocks[o * p + o / block * block + i] = w[o * block + i];
      }
      t[stage] = transformed(blocks);
    }
  }

  // H M
  Matrix transformed(const Matrix& m) const {
    Matrix result(p * p, 0.0);
    for (size_t o = 0; o < p; ++o) {
      for (size_t k = 0; k < p; ++k) {
        const double sign = __builtin_popcountll(o & k) % 2 == 0 ? 1 : -1;
        for (size_t i = 0; i < p; ++i) result[o * p + i] += sign * m[k * p + i];
      }
    }
    return result;
  }

  Matrix identity() const {
    Matrix m(p * p, 0.0);
    for (size_t k = 0; k < p; ++k) m[k * p + k] = 1;
    return m;
  }

  Matrix product(const Matrix& a, const Matrix& b) const {
    Matrix result(p * p, 0.0);
    for (size_t o = 0; o < p; ++o) {
      for (size_t k = 0; k < p; ++k) {
        for (size_t i = 0; i < p; ++i) result[o * p + i] += a[o * p + k] * b[k * p + i];
      }
    }
    return result;
  }

  Matrix transposed(const Matrix& m) const {
    Matrix result(p * p);
    for (size_t o = 0; o < p; ++o) {
      for (size_t i = 0; i < p; ++i) result[i * p + o] = m[o * p + i];
    }
    return result;
  }
};

}  // namespace

void multiply_out_bh4(const lookupffn_shape& shape, const float* weight, float* dense, size_t stride) {
  const double decay = shape.decay;
  for (size_t repeat = 0; repeat < shape.repeats; ++repeat) {
    const Stages stages(shape, weight, repeat);
    const size_t p = stages.p;
    Matrix all = stages.t[0];
    for (size_t stage = 1; stage < 4; ++stage) all = stages.product(stages.t[stage], all);
    for (size_t o = 0; o < p && repeat * p + o < shape.tables * shape.bits; ++o) {
      for (size_t i = 0; i < shape.d_in; ++i) {
        dense[(repeat * p + o) * stride + i] = float(decay * all[o * p + i] + (o == i ? 1 - decay : 0));
      }
    }
  }
}

void bh4_gradient_of_dense(const lookupffn_shape& shape, const float* weight, const float* d_dense, size_t stride,
                           float* d_weight) {
  for (size_t repeat = 0; repeat < shape.repeats; ++repeat) {
    const Stages stages(shape, weight, repeat);
    const size_t p = stages.p, block = shape.block;
    Matrix behind(p * p, 0.0);  // the gradient by the product of this stage and those before
    for (size_t o = 0; o < p && repeat * p + o < shape.tables * shape.bits; ++o) {
      for (size_t i = 0; i < shape.d_in; ++i) behind[o * p + i] = shape.decay * double(d_dense[(repeat * p + o) * stride + i]);
    }
    for (size_t stage = 4; stage-- > 0;) {
      Matrix before = stages.identity();
      for (size_t s = 0; s < stage; ++s) before = stages.product(stages.t[s], before);
      // H is symmetric.
      const Matrix d_blocks = stages.transformed(stages.product(behind, stages.transposed(before)));
      float* const d = d_weight + (repeat * 4 + stage) * p * block;
      for (size_t o = 0; o < p; ++o) {
        for (size_t i = 0; i < block; ++i) d[o * block + i] = float(d_blocks[o * p + o / block * block + i]);
      }
      behind = stages.product(stages.transposed(stages.t[stage]), behind);
    }
  }
}

}  // namespace lookupffn
