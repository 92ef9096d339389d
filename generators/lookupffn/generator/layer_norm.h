// LayerNorm, the layer's first step.
#ifndef LOOKUPFFN_LAYER_NORM_H
#define LOOKUPFFN_LAYER_NORM_H

#include <algorithm>
#include <limits>
#include <string>

#include "Halide.h"
#include "partial_sums.h"

namespace lookupffn {

// h = (x - mean) / sqrt(variance + eps) * gamma + beta over the first d_in values of a row. x is zero from d_in
// to the next multiple of kPartials; gamma and beta are zero from d_in on, so h is too.
//
// The two sums have the order of partial_sums.h.
struct LayerNorm {
  static constexpr int kPartials = kPartialSums;
  static constexpr int kLanes = kFoldedSums;

  Halide::Func sum{"sum"}, folded_sum{"folded_sum"}, mean{"mean"};  // lane, n; lane, n; n
  Halide::Func square_sum{"square_sum"}, folded_square_sum{"folded_square_sum"}, scale{"scale"};
  Halide::Func h{"h"};  // i, n
  Halide::Var i{"i"}, lane{"lane"}, n{"n"};
  Halide::RDom r;

  template <class X, class Gamma, class Beta>
  LayerNorm(const X& x, const Gamma& gamma, const Beta& beta, Halide::Expr d_in, Halide::Expr eps)
      : r(0, (d_in + (kPartials - 1)) / kPartials, "r") {
    using namespace Halide;
    // mean = sum_i x[i] / d_in
    sum(lane, n) = 0.0f;
    sum(lane, n) = strict_float(sum(lane, n) + x(r * kPartials + lane, n));
    folded_sum(lane, n) = strict_float(folded(sum));
    mean(n) = strict_float(total(folded_sum) / cast<float>(d_in));

    // scale = 1 / sqrt(sum_i (x[i] - mean)^2 / d_in + eps)
    Expr index = r * kPartials + lane;
    Expr centred = select(index < d_in, x(index, n) - mean(n), 0.0f);
    square_sum(lane, n) = 0.0f;
    square_sum(lane, n) = strict_float(square_sum(lane, n) + centred * centred);
    folded_square_sum(lane, n) = strict_float(folded(square_sum));
    // Where float cannot hold the variance, NaN: the runtime then hashes the row once more, scaled down.
    Expr variance = total(folded_square_sum) / cast<float>(d_in) + eps;
    scale(n) = strict_float(
        1.0f / sqrt(select(variance <= std::numeric_limits<float>::max(), variance, std::numeric_limits<float>::quiet_NaN())));

    // h = (x - mean) * scale * gamma + beta
    // Where h is wider than x, its zeros come of x's last kLanes values: a row of x ends where its memory may.
    Expr within_x = min(i / kLanes, (d_in + (kLanes - 1)) / kLanes - 1) * kLanes + i % kLanes;
    h(i, n) = strict_float((x(within_x, n) - mean(n)) * scale(n) * gamma(i) + beta(i));
  }

  // Computes the sums of tokens at `level`, `unroll` steps of kPartials values at a time.
  void schedule_statistics(const Halide::LoopLevel& level, int lanes, int unroll = 1) {
    using namespace Halide;
    for (Func* partial : {&sum, &square_sum}) {
      partial->compute_at(level).vectorize(lane, lanes).unroll(lane);
      partial->update().reorder(lane, r).vectorize(lane, lanes).unroll(lane);
      if (unroll > 1) partial->update().unroll(r, unroll);
    }
    for (Func* f : {&folded_sum, &folded_square_sum}) f->compute_at(level).vectorize(lane, std::min(lanes, kLanes));
    for (Func* f : {&mean, &scale}) f->compute_at(level);
  }

 private:
  Halide::Expr folded(const Halide::Func& partial) {
    return fold_partials([&](const Halide::Expr& at) { return partial(at, n); }, lane);
  }
  Halide::Expr total(const Halide::Func& folded) {
    return add_in_pairs([&](int at) { return folded(at, n); }, Pairs::kNeighbours);
  }
};

}  // namespace lookupffn
#endif
