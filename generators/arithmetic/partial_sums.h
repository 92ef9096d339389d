// A long sum in an order that no schedule changes: kPartialSums partial sums, each of every 64th term, so that additions do not
// wait for each other; folded to kFoldedSums; these added in pairs.
#ifndef LOOKUPFFN_PARTIAL_SUMS_H
#define LOOKUPFFN_PARTIAL_SUMS_H

#include <vector>

#include "Halide.h"

namespace lookupffn {

constexpr int kPartialSums = 64;
constexpr int kFoldedSums = 16;

// Folded sum `lane`. partial(lane): the Expr of a partial sum.
template <class Partial>
Halide::Expr fold_partials(const Partial& partial, const Halide::Expr& lane) {
  Halide::Expr sum = partial(lane);
  for (int first = kFoldedSums; first < kPartialSums; first += kFoldedSums) sum += partial(lane + first);
  return sum;
}

// Which folded sums are added first: 0 and 1, or 0 and 8. Kernels' bits depend on it.
enum class Pairs { kNeighbours, kHalves };

// All of them. folded(lane): the Expr of a folded sum.
template <class Folded>
Halide::Expr add_in_pairs(const Folded& folded, Pairs pairs) {
  std::vector<Halide::Expr> terms;
  for (int lane = 0; lane < kFoldedSums; ++lane) terms.push_back(folded(lane));
  while (terms.size() > 1) {
    const size_t half = terms.size() / 2;
    for (size_t k = 0; k < half; ++k) {
      terms[k] = pairs == Pairs::kHalves ? terms[k] + terms[k + half] : terms[2 * k] + terms[2 * k + 1];
    }
    terms.resize(half);
  }
  return terms[0];
}

}  // namespace lookupffn
#endif
