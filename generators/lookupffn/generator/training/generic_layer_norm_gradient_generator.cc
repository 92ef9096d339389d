// d_h -> d_x for any d_in.
#include <memory>

#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "layer_norm.h"
#include "partial_sums.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericLayerNormGradient : public KernelGenerator<GenericLayerNormGradient> {
 public:
  Input<Buffer<float>> x{"x", 2};          // [tokens, width], zero from d_in on: i, n; width is a multiple of 64
  Input<Buffer<float>> gamma{"gamma", 1};  // [width], likewise
  Input<Buffer<float>> d_h{"d_h", 2};      // [tokens, width]: i, n
  Input<int> d_in{"d_in"};
  Input<float> eps{"eps"};
  // d_x, and the normalised x, both [tokens, width]: i, n
  Output<Func> gradients{"gradients", {Float(32), Float(32)}, 2};

  void generate() {
    // The mean and scale of LayerNorm; its h is not used.
    norm.reset(new LayerNorm(x, gamma, gamma, d_in, eps));
    steps = RDom(0, (d_in + (kPartialSums - 1)) / kPartialSums, "steps");
    // normal = (x - mean) * scale
    normal(i, n) = strict_float((x(i, n) - norm->mean(n)) * norm->scale(n));
    // a = sum_i gamma d_h / d_in, b = sum_i gamma d_h normal / d_in
    Expr at = steps * kPartialSums + lane, g = strict_float(gamma(at) * d_h(at, n));
    Expr inside = at < d_in;
    sums(lane, n) = Tuple(0.0f, 0.0f);
    sums(lane, n) = Tuple(strict_float(sums(lane, n)[0] + select(inside, g, 0.0f)),
                          strict_float(sums(lane, n)[1] + select(inside, strict_float(g * normal(at, n)), 0.0f)));
    folded(lane, n) = Tuple(of_sums(0), of_sums(1));
    means(n) = Tuple(of_folded(0), of_folded(1));
    // d_x = scale (gamma d_h - a - normal b)
    Expr centred = strict_float(gamma(i) * d_h(i, n) - means(n)[0] - normal(i, n) * means(n)[1]);
    gradients(i, n) = Tuple(strict_float(norm->scale(n) * centred), normal(i, n));
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    Func result = gradients;
    OutputImageParam first = result.output_buffers()[0];
    first.dim(0).set_min(0).set_extent(first.dim(0).extent() / kPartialSums * kPartialSums);
    first.dim(1).set_min(0);
    for (int dim = 0; dim < 2; ++dim) {
      x.dim(dim).set_min(0);
      d_h.dim(dim).set_min(0);
    }
    gamma.dim(0).set_min(0);
    norm->schedule_statistics(LoopLevel(result, n), lanes);
    Var iv("iv"), ii("ii");
    result.split(i, i, ii, kPartialSums).split(ii, ii, iv, lanes).vectorize(iv).unroll(ii);
    sums.bound(lane, 0, kPartialSums).compute_at(result, n).vectorize(lane, lanes).unroll(lane);
    sums.update().reorder(lane, steps).vectorize(lane, lanes).unroll(lane);
    folded.bound(lane, 0, kFoldedSums).compute_at(result, n).vectorize(lane, lanes).unroll(lane);
    means.compute_at(result, n);
    functions()->insert(kernel_cpu(get_target()));
  }

 private:
  Expr of_sums(int which) {
    return strict_float(fold_partials([&](const Expr& at) { return sums(at, n)[which]; }, lane));
  }
  Expr of_folded(int which) {
    return strict_float(add_in_pairs([&](int at) { return folded(at, n)[which]; }, Pairs::kNeighbours) / cast<float>(d_in));
  }

  Var i{"i"}, n{"n"}, lane{"lane"};
  RDom steps;
  std::unique_ptr<LayerNorm> norm;
  Func normal{"normal"}, sums{"sums"}, folded{"folded"}, means{"means"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericLayerNormGradient, generic_layer_norm_gradient)
