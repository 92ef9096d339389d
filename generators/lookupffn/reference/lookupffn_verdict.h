// Judges what a LookupFFN layer gave, or one that is packed and run like it, against what it should have given.
#ifndef LOOKUPFFN_LOOKUPFFN_VERDICT_H
#define LOOKUPFFN_LOOKUPFFN_VERDICT_H

#include <vector>

#include "lookupffn_formulas.h"
#include "plain_layer.h"
#include "reference/verdict.h"

namespace lookupffn::reference {

// `expected` are the right results of x. Its z may be empty: then every code is decided. Where an undecided code differs,
// the right y is that of the code that was given. Codes and scores, or y, that were not given are not judged. The types are
// those that the layer was packed with.
Verdict judge(const Layer& layer, const std::vector<float>& x, const Result& expected, const Results& given,
              lookupffn_type table_type, lookupffn_type projection_type);

}  // namespace lookupffn::reference
#endif
