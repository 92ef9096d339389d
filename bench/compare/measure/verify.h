// Checks a contender against the formulas in float64, before it is timed.
#ifndef LOOKUPFFN_BENCH_VERIFY_H
#define LOOKUPFFN_BENCH_VERIFY_H

#include "contender.h"

namespace lookupffn::bench {

// Runs `parts` once on the ring's first `tokens` inputs and judges a few of them: by the family's twin (reference_family.h), or
// by the dense network. Throws std::runtime_error that says what differs by how much.
void verify_contender(const ContenderKind& kind, const std::vector<Part>& parts, Contender& contender,
                      const ComparedLayer& layer, Types types, size_t tokens);

}  // namespace lookupffn::bench
#endif
