// The exponential of the score.
#ifndef LOOKUPFFN_EXP_OF_NEGATIVE_H
#define LOOKUPFFN_EXP_OF_NEGATIVE_H

#include "Halide.h"
#include "multiply_add.h"

namespace lookupffn {

// exp(x) for x <= 0, within 3e-7 of itself (and within 1e-37 where it is smaller than a normal number): 2^(i + f)
// with i = round(x / ln 2) and a polynomial for 2^f on [-1/2, 1/2]. To be called within strict_float().
inline Halide::Expr exp_of_negative(const Halide::Expr& x) {
  using namespace Halide;
  Expr power = max(x * 1.44269504f, -126.0f);
  // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the sum's last bits.
  const float rounder = 12582912.0f;
  Expr rounded = strict_float(power + rounder);
  Expr f = power - strict_float(rounded - rounder);
  // Fitted to 2^f by relative least squares at Chebyshev nodes: at most 2.2e-7 off, in float arithmetic.
  Expr p = 1.326697039e-3f;
  for (float coefficient : {9.675459745e-3f, 5.550742616e-2f, 2.402212175e-1f, 6.931469492e-1f, 1.000000071f}) {
    p = multiply_add(p, f, coefficient);
  }
  // The whole number goes straight into the exponent.
  return reinterpret<float>(reinterpret<int32_t>(p) + (reinterpret<int32_t>(rounded) << 23));
}

}  // namespace lookupffn
#endif
