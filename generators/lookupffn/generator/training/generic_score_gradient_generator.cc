// d_score -> d_z for any number of tables and bits, codes held fixed.
#include "Halide.h"
#include "exp_of_negative.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericScoreGradient : public KernelGenerator<GenericScoreGradient> {
 public:
  Input<Buffer<float>> z{"z", 2};              // [tokens, outputs]: k, n
  Input<Buffer<float>> d_score{"d_score", 2};  // [tokens, tables]: t, n
  Input<int> bits{"bits"};
  Output<Buffer<float>> d_z{"d_z", 3};  // [tokens, tables, bits]: j, t, n; tables rounded up to 16

  void generate() {
    bit = RDom(0, bits, "bit");
    const auto z_of = [&](const Expr& j) { return z(t * bits + j, n); };
    const auto small = [](const Expr& of) { return exp_of_negative(-2.0f * abs(of)); };
    // S = sum_j |z[j]|, P = prod_j (1 + exp(-2 |z[j]|)), score = S / P
    sums(t, n) = Tuple(0.0f, 1.0f);
    sums(t, n) = Tuple(strict_float(sums(t, n)[0] + abs(z_of(bit))), strict_float(sums(t, n)[1] * (1.0f + small(z_of(bit)))));
    // d score / d z[j] = sign(z[j]) (1 + 2 S e / (1 + e)) / P,  e = exp(-2 |z[j]|)
    Expr of = z_of(j), e = strict_float(small(of));
    Expr size = strict_float(d_score(t, n) * ((1.0f + 2.0f * sums(t, n)[0] * (e / (1.0f + e))) / sums(t, n)[1]));
    d_z(j, t, n) = select(of > 0.0f, size, of < 0.0f, -size, strict_float(size * of));  // the last: 0, or NaN
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    for (int dim = 0; dim < 3; ++dim) d_z.dim(dim).set_min(0);
    d_z.dim(1).set_extent(d_z.dim(1).extent() / 16 * 16).set_stride(d_z.dim(0).extent());
    for (int dim = 0; dim < 2; ++dim) {
      z.dim(dim).set_min(0);
      d_score.dim(dim).set_min(0);
    }
    Var tv("tv");
    d_z.split(t, t, tv, lanes).reorder(tv, j, t, n).vectorize(tv);
    sums.compute_at(d_z, t).vectorize(t, lanes);
    sums.update().vectorize(t, lanes);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
  }

 private:
  Var j{"j"}, t{"t"}, n{"n"};
  RDom bit;
  Func sums{"sums"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericScoreGradient, generic_score_gradient)
