// The embedding bag's formulas, naively and in double.
#ifndef LOOKUPFFN_EMBEDDING_BAG_FORMULAS_H
#define LOOKUPFFN_EMBEDDING_BAG_FORMULAS_H

#include <vector>

#include "embedding_bag_model_file.h"
#include "reference/stage.h"
#include "reference/verdict.h"

namespace lookupffn::reference {

struct ExpectedBags {
  std::vector<double> y;          // [bags, d_out]
  std::vector<double> allowance;  // [bags]: what y may differ by besides, where the rows are rounded to a type
};

// y[b] = sum over the ids of bag b of weight * table[id]; mean: divided by how many they are, 0 for none.
ExpectedBags expected_bags(const BagWeights& weights, const Input& input, lookupffn_type table_type);

// y [bags, d_out], of the first bags of what is expected.
Verdict judge_bags(const ExpectedBags& expected, const std::vector<float>& y, size_t d_out);

}  // namespace lookupffn::reference
#endif
