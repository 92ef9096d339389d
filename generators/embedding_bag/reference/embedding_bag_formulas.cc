#include "embedding_bag_formulas.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/tolerance.h"
#include "weight_types.h"

namespace lookupffn::reference {

ExpectedBags expected_bags(const BagWeights& weights, const Input& input, lookupffn_type table_type) {
  const size_t d_out = weights.shape.d_out, bags = input.offsets.size();
  const double rounding = weight_type(table_type).rounding;
  ExpectedBags expected{std::vector<double>(bags * d_out), std::vector<double>(bags)};
  std::vector<float> row(d_out);
  for (size_t b = 0; b < bags; ++b) {
    const size_t begin = size_t(input.offsets[b]), end = b + 1 < bags ? size_t(input.offsets[b + 1]) : input.ids.size();
    double* const y = &expected.y[b * d_out];
    for (size_t i = begin; i < end; ++i) {
      read_floats(weights.table, size_t(input.ids[i]) * d_out, d_out, row.data());
      const double weight = input.weights.empty() ? 1 : input.weights[i];
      double largest = 0;
      for (size_t d = 0; d < d_out; ++d) {
        y[d] += weight * row[d];
        largest = std::max(largest, std::abs(double(row[d])));
      }
      expected.allowance[b] += std::abs(weight) * rounding * largest;
    }
    if (!input.mean || begin == end) continue;
    for (size_t d = 0; d < d_out; ++d) y[d] /= double(end - begin);
    expected.allowance[b] /= double(end - begin);
  }
  return expected;
}

Verdict judge_bags(const ExpectedBags& expected, const std::vector<float>& y, size_t d_out) {
  Verdict verdict;
  verdict.tokens = y.size() / d_out;
  verdict.values = y.size();
  for (size_t b = 0; b < verdict.tokens; ++b) {
    const double* const right = &expected.y[b * d_out];
    const double tolerance = row_tolerance(right, d_out) + expected.allowance[b];
    for (size_t d = 0; d < d_out; ++d) {
      const double error = std::abs(double(y[b * d_out + d]) - right[d]);
      verdict.y_error = worse(verdict.y_error, error);
      verdict.y_of_tolerance = worse(verdict.y_of_tolerance, error / tolerance);
    }
  }
  return verdict;
}

}  // namespace lookupffn::reference
