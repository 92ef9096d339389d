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
  Halide::Expr code, score;

  explicit CodeAndScore(const std::vector<Halide::Expr>& z) {
    using namespace Halide;
    const int bits = int(z.size());
    code = cast<uint16_t>(0);
    Expr sum = 0.0f, product = 1.0f;
    for (int j = 0; j < bits; ++j) {
      code = code | cast<uint16_t>(select(z[j] > 0.0f, 1 << (bits - 1 - j), 0));
      sum += abs(z[j]);
      product *= 1.0f + exp_of_negative(-2.0f * abs(z[j]));
    }
    score = strict_float(sum / product);
  }
};

}  // namespace lookupffn
#endif
