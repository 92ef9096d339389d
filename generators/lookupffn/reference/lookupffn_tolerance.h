// How far the results of a LookupFFN layer, or of one that is packed and run like it, may lie from the formulas'.
#ifndef LOOKUPFFN_LOOKUPFFN_TOLERANCE_H
#define LOOKUPFFN_LOOKUPFFN_TOLERANCE_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plain_layer.h"
#include "reference/tolerance.h"

namespace lookupffn::reference {

// A bit of a code may differ only where |z| is no larger: float arithmetic is not that exact.
constexpr double kZeroMargin = 2e-5;

// Of one token's z: kZeroMargin, and with bf16 weights, where nobody sees to it that z is of order 1, so much of its root
// mean square where that is more.
double zero_margin(const double* z, size_t size, lookupffn_type projection_type);

// Whether every bit of `difference`, of two codes, has a |z| within the margin. z [bits]
bool differs_only_near_zero(const double* z, size_t bits, int32_t difference, double margin = kZeroMargin);

// Whether `code` is one that this z [bits] allows.
bool code_allowed(const double* z, size_t bits, int32_t code, double margin = kZeroMargin);

// What y of one token may differ by besides when tables are narrowed: the sum over tables of
//   score * rounding * max|row|, with the rounding of registry/weight_types.def; with scales that is score * scale / 2.
// code and score are the token's [tables].
double table_type_allowance(const Layer& layer, const int32_t* code, const double* score, lookupffn_type table_type);

// The largest of |y - expected| / (what it may differ by) over all tokens: 1 or less is right. A value that is not finite,
// on either side, is infinitely wrong, and so are no values at all. y [tokens, d_out] contiguous; `expected` is the reference's
// result of the same codes.
double worst_y(const Layer& layer, const std::vector<int32_t>& code, const std::vector<double>& score,
               const std::vector<double>& expected, const std::vector<float>& y, lookupffn_type table_type);

// The same of score [tokens, tables].
double worst_score(const Layer& layer, const std::vector<double>& expected, const std::vector<float>& score);

// How many of code [tokens, tables] are not allowed by z [tokens, tables, bits]; none at all count as one.
size_t wrong_codes(const Layer& layer, const std::vector<double>& z, const std::vector<int32_t>& code,
                   lookupffn_type projection_type = LOOKUPFFN_F32);

}  // namespace lookupffn::reference
#endif
