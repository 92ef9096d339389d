// One multiplication and addition, which no compiler takes apart: what every sum is made of whose bits must not depend on
// the schedule.
//
// Halide lets LLVM reorder float arithmetic, and contract a multiplication and an addition into one instruction where it
// likes to. strict_float() forbids both, and so costs twice the instructions. This one is neither reordered nor taken apart.
#ifndef LOOKUPFFN_MULTIPLY_ADD_H
#define LOOKUPFFN_MULTIPLY_ADD_H

#include "Halide.h"
#include "inlined_functions.h"

namespace lookupffn {

// a b + c of floats: rounded once where the target has an instruction for it, after each step where it has none.
Halide::Expr multiply_add(const Halide::Expr& a, const Halide::Expr& b, const Halide::Expr& c);

// 0, for a sum of many terms to start from, and LLVM does not know it. Where registers are scarce it would rather spill sums
// that start from a constant than what is multiplied: hashes of bf16 weights on AVX2 are then up to 1.5 times as slow.
Halide::Expr sum_start();

// What these call, for a generator's functions.
InlinedFunctions multiply_add_functions(const Halide::Target& target);

}  // namespace lookupffn
#endif
