// The exact GELU, by the error function.
#ifndef LOOKUPFFN_GELU_H
#define LOOKUPFFN_GELU_H

#include "Halide.h"
#include "exp_of_negative.h"

namespace lookupffn {

// gelu(v) = v P(Z <= v), Z normal, within 3e-7 |v|; -infinity gives NaN. To be called within strict_float().
inline Halide::Expr gelu(const Halide::Expr& v) {
  using namespace Halide;
  // P(Z > |v|) = erfc(z) / 2 with z = |v| / sqrt(2): Abramowitz and Stegun 7.1.26, its coefficients halved.
  Expr t = 1.0f / (1.0f + 0.231641888f * abs(v));
  Expr p = 0.5307027145f;
  for (float coefficient : {-0.7265760135f, 0.7107068705f, -0.142248368f, 0.127414796f}) p = multiply_add(p, t, coefficient);
  Expr tail = p * t * exp_of_negative(-0.5f * v * v);
  return v * select(v > 0.0f, 1.0f - tail, tail);
}

}  // namespace lookupffn
#endif
