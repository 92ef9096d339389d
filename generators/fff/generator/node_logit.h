// A tree's node: its logit, and which child comes next.
#ifndef LOOKUPFFN_NODE_LOGIT_H
#define LOOKUPFFN_NODE_LOGIT_H

#include <algorithm>
#include <string>
#include <vector>

#include "Halide.h"
#include "multiply_add.h"

namespace lookupffn {

// logit[t, n] = sum_i weight[t, node[t, n], i] x[n, i] + bias[t, node[t, n]] of tree t, token n.
//
// The sum is kept as kPartials partial sums, added up in a fixed order: a token's bits then depend on no
// schedule, and the multiply-adds do not wait for each other.
struct NodeLogit {
  static constexpr int kPartials = 64;  // x and weights are zero from d_in to a multiple of it
  static constexpr int kLanes = 16;     // the partial sums are folded to that many, then added in pairs

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
    Expr fold = partial(lane, t, n);
    for (int first = kLanes; first < kPartials; first += kLanes) fold += partial(lane + first, t, n);
    folded(lane, t, n) = strict_float(fold);
    std::vector<Expr> terms;
    for (int k = 0; k < kLanes; ++k) terms.push_back(folded(k, t, n));
    for (; terms.size() > 1; terms.resize(terms.size() / 2)) {
      for (size_t k = 0; k < terms.size() / 2; ++k) terms[k] = terms[k] + terms[k + terms.size() / 2];
    }
    logit(t, n) = strict_float(terms[0] + bias(node(t, n), t));
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
