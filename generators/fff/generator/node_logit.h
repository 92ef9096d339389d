// A tree's node: its logit, and which child comes next.
#ifndef LOOKUPFFN_NODE_LOGIT_H
#define LOOKUPFFN_NODE_LOGIT_H

#include <algorithm>
#include <string>

#include "Halide.h"
#include "multiply_add.h"
#include "partial_sums.h"

namespace lookupffn {

// logit[t, n] = sum_i weight[t, node[t, n], i] x[n, i] + bias[t, node[t, n]] of tree t, token n.
//
// The sum has the order of partial_sums.h.
struct NodeLogit {
  static constexpr int kPartials = kPartialSums;  // x and weights are zero from d_in to a multiple of it
  static constexpr int kLanes = kFoldedSums;

  Halide::Func partial, folded, logit;  // lane, t, n; lane, t, n; t, n
  Halide::Var lane{"lane"}, t{"t"}, n{"n"};
  Halide::RDom r;

  // x: i, n; weight: i, node, t; bias: node, t. node: the Func's value at (t, n) is the node.
  template <class X, class Weight, class Bias, class Node>
  NodeLogit(const std::string& name, const X& x, const Weight& weight, const Bias& bias, const Halide::Expr& inputs,
            const Node& node)
      : partial(name + "_partial"), folded(name + "_folded"), logit(name), r(0, inputs / kPartials, name + "_r") {
    using namespace Halide;
    partial(lane, t, n) = 0.0f;
    const Expr i = r * kPartials + lane;
    partial(lane, t, n) = multiply_add(weight(i, node(t, n), t), x(i, n), partial(lane, t, n));
    folded(lane, t, n) = strict_float(fold_partials([&](const Expr& at) { return partial(at, t, n); }, lane));
    const Expr sum = add_in_pairs([&](int at) { return folded(at, t, n); }, Pairs::kHalves);
    logit(t, n) = strict_float(sum + bias(node(t, n), t));
  }

  // Computes the sums of a logit inside `consumer`'s loop over `at`.
  void schedule_sums(Halide::Func consumer, const Halide::Var& at, int lanes) {
    partial.compute_at(consumer, at).vectorize(lane, lanes).unroll(lane);
    partial.update().reorder(lane, r).vectorize(lane, lanes).unroll(lane);
    folded.compute_at(consumer, at).vectorize(lane, std::min(lanes, kLanes));
  }
};

// The child that a logit chooses: the right one where it is positive, and where it is zero if zero_right
// is 1. A NaN goes left.
inline Halide::Expr child(const Halide::Expr& node, const Halide::Expr& logit, const Halide::Expr& zero_right) {
  using namespace Halide;
  return 2 * node + 1 + select(logit > 0.0f, 1, select(logit == 0.0f, zero_right, 0));
}

}  // namespace lookupffn
#endif
