// Gradients of biases, of gamma and of beta: sums over tokens.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericColumnSums : public KernelGenerator<GenericColumnSums> {
 public:
  Input<Buffer<float>> a{"a", 2};           // [tokens, columns]: c, n
  Input<Buffer<float>> b{"b", 2};           // likewise
  Output<Buffer<float>> total{"total", 1};  // [columns], to which they are added: c

  void generate() {
    n = RDom(0, a.dim(1).extent(), "n");
    // total[c] = total[c] + sum_n a[n, c] b[n, c]
    total(c) = undef<float>();
    total(c) = multiply_add(a(c, n), b(c, n), total(c));
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    for (int dim = 0; dim < 2; ++dim) {
      a.dim(dim).set_min(0);
      b.dim(dim).set_min(0);
    }
    total.dim(0).set_min(0);
    Var cv("cv"), ci("ci");
    total.update()
        .split(c, c, ci, 4 * lanes, TailStrategy::GuardWithIf)
        .split(ci, ci, cv, lanes)
        .reorder(cv, ci, c, n)
        .vectorize(cv)
        .unroll(ci);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
  }

 private:
  Var c{"c"};
  RDom n;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericColumnSums, generic_column_sums)
