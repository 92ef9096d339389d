// From projections to a table's row and its weight.
#ifndef LOOKUPFFN_CODE_AND_SCORE_H
#define LOOKUPFFN_CODE_AND_SCORE_H

#include <vector>

#include "Halide.h"
#include "exp_of_negative.h"

namespace lookupffn {

// code  = sum_j (z[j] > 0) << (bits - 1 - j)
// score = sum_j |z[j]| / prod_j (1 + exp(-2 |z[j]|))
struct CodeAndScore {
  Halide::Func factor{"factor"};  // 1 + exp(-2 |z[j]|): j, t, n
  Halide::Expr code, score;       // of table t, token n

  // z: [tokens, tables * bits]
  CodeAndScore(const Halide::Func& z, int bits, const Halide::Var& t, const Halide::Var& n) {
    using namespace Halide;
    Var j("j");
    factor(j, t, n) = strict_float(1.0f + exp_of_negative(-2.0f * abs(z(t * bits + j, n))));
    code = cast<uint16_t>(0);
    Expr sum = 0.0f, product = 1.0f;
    for (int bit = 0; bit < bits; ++bit) {
      Expr value = z(t * bits + bit, n);
      code = code | cast<uint16_t>(select(value > 0.0f, 1 << (bits - 1 - bit), 0));
      sum += abs(value);
      product *= factor(bit, t, n);
    }
    score = strict_float(sum / product);
  }

  // Computes the factors of a vector of tables in registers, inside `consumer`'s loop over t.
  void schedule(Halide::Func consumer, const Halide::Var& t, int lanes) {
    Halide::Var j = factor.args()[0];
    factor.compute_at(consumer, t).unroll(j);
    if (lanes > 1) factor.vectorize(t, lanes);
  }
};

}  // namespace lookupffn
#endif
