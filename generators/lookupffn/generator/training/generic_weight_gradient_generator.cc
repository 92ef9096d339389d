// Gradients of panels of a projection: sums over tokens of outer products.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericWeightGradient : public KernelGenerator<GenericWeightGradient> {
 public:
  Input<Buffer<float>> d_g{"d_g", 3};        // [tokens, panel, out]: o, m, n
  Input<Buffer<float>> in{"in", 3};          // [tokens, panel, in]: i, m, n; a dense projection's panels share one (stride 0)
  Input<Buffer<float>> before{"before", 3};  // as d_weight, whose memory it may be
  Output<Buffer<float>> d_weight{"d_weight", 3};  // [panel, out, in]: i, o, m; both multiples of 16

  void generate() {
    n = RDom(0, in.dim(2).extent(), "n");
    // d_W[m, o, i] = before + sum_n d_g[n, m, o] in[n, m, i]
    sum(i, o, m) = before(i, o, m);
    sum(i, o, m) = multiply_add(d_g(o, m, n), in(i, m, n), sum(i, o, m));
    d_weight(i, o, m) = sum(i, o, m);
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    const int registers = lanes == 16 ? 16 : lanes == 8 ? 4 : 2;  // outputs of a register tile, which has 16 inputs
    for (int dim = 0; dim < 3; ++dim) {
      d_g.dim(dim).set_min(0);
      in.dim(dim).set_min(0);
      before.dim(dim).set_min(0);
      d_weight.dim(dim).set_min(0);
    }
    for (int dim = 0; dim < 2; ++dim) d_weight.dim(dim).set_extent(d_weight.dim(dim).extent() / 16 * 16);
    Var iv("iv"), ii("ii"), oi("oi");
    d_weight.split(i, i, ii, 16)
        .split(ii, ii, iv, lanes)
        .split(o, o, oi, registers)
        .reorder(iv, ii, oi, i, o, m)
        .vectorize(iv)
        .unroll(ii)
        .unroll(oi);
    sum.compute_at(d_weight, i).vectorize(i, lanes).unroll(i).unroll(o);
    sum.update().reorder(i, o, m, n).vectorize(i, lanes).unroll(i).unroll(o);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
  }

 private:
  Var i{"i"}, o{"o"}, m{"m"};
  RDom n;
  Func sum{"sum"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericWeightGradient, generic_weight_gradient)
