// g = panels of small products for any shape: a dense projection, or one stage of BH4, of the generic hash.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "packed_types.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericProduct : public KernelGenerator<GenericProduct> {
 public:
  // ---- the problem ----
  GeneratorParam<PackedType> projection_type{"projection_type", PackedType::f32, packed_type_names()};

  // ---- the schedule ----
  GeneratorParam<int> token_registers{"token_registers", 8};  // tokens of a register tile; divides the tokens

  Input<Buffer<float>> in{"in", 3};     // [tokens, panel, in]: i, m, n; a dense projection's panels share one (stride 0)
  Input<Buffer<>> weight{"weight", 3};  // [panel, in, out]: o, i, m; bf16, bf16x3: words of two inputs
  Output<Buffer<float>> g{"g", 3};      // [tokens, panel, out]: o, m, n; outputs are a multiple of 16

  void configure() { weight.set_type(packed_weight_type_of(projection_type)); }

  void generate() {
    const Expr inputs = in.dim(0).extent();
    r = RDom(0, packed_inputs(inputs, projection_type), "r");
    // g[o, m] = sum_i W[m, o, i] in[m, i]
    product(o, m, n) = sum_start();
    product(o, m, n) = multiply_add(unpacked_weight(weight, o, r, m, inputs, projection_type),
                                    in(packed_input(r, inputs, projection_type), m, n), product(o, m, n));
    g(o, m, n) = product(o, m, n);
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    const int vectors = std::max(1, 16 / lanes), registers = token_registers;
    Var ov("ov"), oi("oi"), nr("nr");
    g.dim(0).set_min(0).set_extent(g.dim(0).extent() / 16 * 16);
    g.dim(1).set_min(0);
    g.dim(2).set_min(0).set_extent(g.dim(2).extent() / registers * registers);
    in.dim(0).set_min(0);
    in.dim(1).set_min(0);
    in.dim(2).set_min(0);
    for (int d = 0; d < 3; ++d) weight.dim(d).set_min(0);
    const auto tile = [&](Stage stage, int outputs, int tokens) {
      stage.split(o, o, oi, outputs)
          .split(oi, oi, ov, lanes)
          .split(n, n, nr, tokens)
          .reorder(ov, oi, nr, n, o, m)
          .vectorize(ov)
          .unroll(oi)
          .unroll(nr);
    };
    // With 32 wide registers, a tile of few tokens and many outputs: eight tokens' addresses do not fit the others.
    if (lanes == 16 && registers % 4 == 0) tile(Func(g).specialize(g.dim(0).extent() % 64 == 0), 64, 4);
    tile(Func(g), lanes * vectors, registers);
    product.compute_at(g, n).vectorize(o, lanes).unroll(o).unroll(n);
    product.update().reorder(o, n, m, r).vectorize(o, lanes).unroll(o).unroll(n);
    if (weight_parts(projection_type) > 0) product.update().unroll(r, 2);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
  }

 private:
  Var o{"o"}, m{"m"}, n{"n"};
  RDom r;
  Func product{"product"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericProduct, generic_product)
