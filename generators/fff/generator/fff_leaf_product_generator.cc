// One layer of the small network of a fast feed-forward leaf: out = act(W[leaf] in + b[leaf]).
#include "Halide.h"
#include "gelu.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "stack_storage.h"

namespace lookupffn {
namespace {

using namespace Halide;

class FffLeafProduct : public KernelGenerator<FffLeafProduct> {
 public:
  // ---- the problem; 0 means "known at run time" ----
  GeneratorParam<int> inputs{"inputs", 0};
  GeneratorParam<int> outputs{"outputs", 0};  // a multiple of 16

  // ---- the schedule ----
  GeneratorParam<int> output_tile{"output_tile", 16};   // outputs held in registers
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};  // bytes of a vector of floats; 0: the target's

  Input<Buffer<float>> in{"in", 2};          // [tokens, inputs]: i, n
  Input<Buffer<int32_t>> leaf{"leaf", 1};    // [tokens], at any stride
  Input<Buffer<float>> weight{"weight", 3};  // [leaves, inputs, outputs]: o, i, leaf
  Input<Buffer<float>> bias{"bias", 2};      // [leaves, outputs]: o, leaf
  Input<int> activation{"activation"};       // 0 none, 1 relu, 2 gelu
  Output<Buffer<float>> out{"out", 2};       // [tokens, outputs]: o, n

  void generate() {
    i = RDom(0, inputs > 0 ? Expr(int(inputs)) : weight.dim(1).extent(), "i");
    // A leaf is one by construction; saying so bounds it for Halide.
    const Expr at = unsafe_promise_clamped(leaf(n), 0, weight.dim(2).extent() - 1);
    // sum[n, o] = b[leaf[n], o] + sum_i W[leaf[n], i, o] in[n, i]
    sum(o, n) = bias(o, at);
    sum(o, n) = multiply_add(in(i, n), weight(o, i, at), sum(o, n));
    // out[n, o] = act(sum[n, o]); relu(v) = 0 v for v <= 0, so that what is not finite stays so.
    const Expr v = sum(o, n);
    out(o, n) = strict_float(select(activation == 1, select(v > 0.0f, v, 0.0f * v), activation == 2, gelu(v), v));
  }

  void schedule() {
    const int lanes = std::min((vector_bytes > 0 ? int(vector_bytes) : vector_lanes(get_target()) * 4) / 4, int(output_tile));
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
    for (int dim = 0; dim < 3; ++dim) weight.dim(dim).set_min(0);
    for (int dim = 0; dim < 2; ++dim) {
      in.dim(dim).set_min(0);
      bias.dim(dim).set_min(0);
    }
    leaf.dim(0).set_min(0).set_stride(Expr());
    out.dim(0).set_min(0).set_extent(outputs > 0 ? Expr(int(outputs))
                                                 : out.dim(0).extent() / int(output_tile) * int(output_tile));
    out.dim(1).set_min(0);

    Var tile("tile"), within("within");
    out.split(o, tile, within, int(output_tile), TailStrategy::RoundUp).vectorize(within, lanes).unroll(within);
    keep_on_stack(sum.compute_at(out, tile).vectorize(o, lanes).unroll(o));
    sum.update().reorder(o, i).vectorize(o, lanes).unroll(o);
  }

 private:
  Var o{"o"}, n{"n"};
  RDom i;
  Func sum{"sum"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::FffLeafProduct, fff_leaf_product)
