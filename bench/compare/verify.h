// Checks a contender against the formulas in float64, before it is timed.
#ifndef LOOKUPFFN_BENCH_VERIFY_H
#define LOOKUPFFN_BENCH_VERIFY_H

#include "contender.h"

namespace lookupffn::bench {

// Runs every part once on `tokens` tokens and compares a few of them. Throws std::runtime_error that says
// what differs by how much. Codes may differ only where z is as near to 0 as the types' rounding (2e-5 in
// f32).
void verify_contender(const ContenderKind& kind, Contender& contender, const Setting& setting, Types types, size_t tokens);

}  // namespace lookupffn::bench
#endif
