// d_h: the sum of what BH4's repeats, and what skips them, give back.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericBranchSums : public KernelGenerator<GenericBranchSums> {
 public:
  Input<Buffer<float>> branch{"branch", 3};  // [repeats, tokens, width]: i, n, repeat
  Input<Buffer<float>> d_z{"d_z", 3};        // [repeats, tokens, width]: i, n, repeat
  Input<float> skip{"skip"};                 // 1 - decay
  Output<Buffer<float>> d_h{"d_h", 2};       // [tokens, width]: i, n; width is a multiple of 16

  void generate() {
    repeat = RDom(0, branch.dim(2).extent(), "repeat");
    // d_h = sum over repeats of branch + (1 - decay) d_z
    sum(i, n) = 0.0f;
    sum(i, n) = multiply_add(skip, d_z(i, n, repeat), strict_float(sum(i, n) + branch(i, n, repeat)));
    d_h(i, n) = sum(i, n);
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    for (int dim = 0; dim < 3; ++dim) {
      branch.dim(dim).set_min(0);
      d_z.dim(dim).set_min(0);
    }
    d_h.dim(0).set_min(0).set_extent(d_h.dim(0).extent() / 16 * 16);
    d_h.dim(1).set_min(0);
    Var iv("iv"), ii("ii");
    d_h.split(i, i, ii, 16).split(ii, ii, iv, lanes).vectorize(iv).unroll(ii);
    sum.compute_at(d_h, i).vectorize(i, lanes).unroll(i);
    sum.update().reorder(i, repeat).vectorize(i, lanes).unroll(i);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
  }

 private:
  Var i{"i"}, n{"n"};
  RDom repeat;
  Func sum{"sum"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericBranchSums, generic_branch_sums)
