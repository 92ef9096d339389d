// Gradients of panels of a projection: sums over tokens of outer products.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"

namespace lookupffn {
namespace {

using namespace Halide;

enum class Inner { kInputs, kOutputs };

class GenericWeightGradient : public KernelGenerator<GenericWeightGradient> {
 public:
  // ---- the problem: any ----

  // ---- the schedule ----
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};  // bytes of a vector of floats; 0: the target's
  GeneratorParam<int> inputs{"inputs", 16};             // of a register tile, where they divide the panel's
  GeneratorParam<int> outputs{"outputs", 4};            // of it; where a tile has 16 inputs instead, so many more
  GeneratorParam<int> unroll_tokens{"unroll_tokens", 1};
  // the inner loop over tiles: along the inputs, or along the outputs
  GeneratorParam<Inner> inner{"inner", Inner::kInputs, {{"inputs", Inner::kInputs}, {"outputs", Inner::kOutputs}}};

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
    const int lanes = vector_bytes > 0 ? int(vector_bytes) / 4 : std::min(16, vector_lanes(get_target()));
    for (int dim = 0; dim < 3; ++dim) {
      d_g.dim(dim).set_min(0);
      in.dim(dim).set_min(0);
      before.dim(dim).set_min(0);
      d_weight.dim(dim).set_min(0);
    }
    for (int dim = 0; dim < 2; ++dim) d_weight.dim(dim).set_extent(d_weight.dim(dim).extent() / 16 * 16);
    if (inputs > 16) schedule_tiles(d_weight.specialize(d_weight.dim(0).extent() % int(inputs) == 0), inputs, outputs, lanes);
    schedule_tiles(Func(d_weight), 16, std::min(16, int(outputs) * (int(inputs) / 16)), lanes);
    sum.compute_at(d_weight, inner == Inner::kInputs ? i : o).vectorize(i, lanes).unroll(i).unroll(o);
    sum.update().reorder(i, o, m, n).vectorize(i, lanes).unroll(i).unroll(o);
    if (unroll_tokens > 1) sum.update().unroll(n, unroll_tokens);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
  }

 private:
  template <class Loops>  // a Func, or a Stage
  void schedule_tiles(Loops loops, int columns, int rows, int lanes) {
    Var iv("iv"), ii("ii"), oi("oi");
    loops.split(i, i, ii, columns).split(ii, ii, iv, lanes).split(o, o, oi, rows).vectorize(iv).unroll(ii).unroll(oi);
    if (inner == Inner::kInputs) {
      loops.reorder(iv, ii, oi, i, o, m);
    } else {
      loops.reorder(iv, ii, oi, o, i, m);
    }
  }

  Var i{"i"}, o{"o"}, m{"m"};
  RDom n;
  Func sum{"sum"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericWeightGradient, generic_weight_gradient)
