// Adding up in one order, whatever the schedule.
#ifndef LOOKUPFFN_SUM_IN_ORDER_H
#define LOOKUPFFN_SUM_IN_ORDER_H

#include "Halide.h"

namespace lookupffn {

// sum + term, for a reduction's update. Halide lets LLVM reorder float arithmetic; a chain of fused multiply-adds
// stays as it is all the same, and is twice as fast as one of multiplications and additions. Where the target
// has no such instruction, the chain is asked for.
//
// The chain must not start from a constant 0: where LLVM unrolls a short sum whole, it would drop the 0, start from
// the first product, and then be free to add that one after the others.
// A sum of so few terms that LLVM always unrolls it whole is asked for as well.
constexpr int kUnrolledTerms = 16;

inline Halide::Expr sum_in_order(const Halide::Expr& sum, const Halide::Expr& term, const Halide::Target& target,
                                 int terms) {
  const bool fused = target.has_feature(Halide::Target::FMA) && terms > kUnrolledTerms;
  return fused ? sum + term : Halide::strict_float(sum + term);
}

}  // namespace lookupffn
#endif
