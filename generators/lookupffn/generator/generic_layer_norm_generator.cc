// h = LayerNorm(x) for any d_in: the first kernel of the generic hash.
#include <memory>

#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "layer_norm.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericLayerNorm : public KernelGenerator<GenericLayerNorm> {
 public:
  Input<Buffer<float>> x{"x", 2};          // [tokens, d_in], zero from d_in to a multiple of 64: i, n
  Input<Buffer<float>> gamma{"gamma", 1};  // [width], zero from d_in on
  Input<Buffer<float>> beta{"beta", 1};    // [width], likewise
  Input<int> d_in{"d_in"};
  Input<float> eps{"eps"};
  Output<Buffer<float>> h{"h", 2};  // [tokens, width]: i, n; width is a multiple of 16

  void generate() {
    // h = (x - mean(x)) / sqrt(variance(x) + eps) * gamma + beta
    norm.reset(new LayerNorm(x, gamma, beta, d_in, eps));
    h(i, n) = norm->h(i, n);
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    h.dim(0).set_min(0).set_extent(h.dim(0).extent() / 16 * 16);
    h.dim(1).set_min(0);
    x.dim(0).set_min(0);
    x.dim(1).set_min(0);
    gamma.dim(0).set_min(0);
    beta.dim(0).set_min(0);
    h.vectorize(i, lanes);
    norm->schedule_statistics(LoopLevel(h, n), lanes);
    functions()->insert(kernel_cpu(get_target()));
  }

 private:
  Var i{"i"}, n{"n"};
  std::unique_ptr<LayerNorm> norm;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericLayerNorm, generic_layer_norm)
