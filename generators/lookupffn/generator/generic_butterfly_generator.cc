// One butterfly of the Hadamard transform across blocks, for any stride: of the generic hash.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericButterfly : public KernelGenerator<GenericButterfly> {
 public:
  Input<Buffer<float>> in{"in", 4};  // [tokens, pair of halves, half, stride]: s, half, pair, n; stride is a multiple of 16
  Output<Buffer<float>> v{"v", 4};   // likewise

  void generate() {
    // v[m] = in[m] + in[m + stride], v[m + stride] = in[m] - in[m + stride]
    Expr first = in(s, 0, pair, n), second = in(s, 1, pair, n);
    v(s, half, pair, n) = select(half == 0, first + second, first - second);
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    v.dim(0).set_min(0).set_extent(v.dim(0).extent() / 16 * 16);
    v.dim(1).set_bounds(0, 2);
    v.dim(2).set_min(0);
    v.dim(3).set_min(0);
    for (int d = 0; d < 4; ++d) in.dim(d).set_min(0);
    v.bound(half, 0, 2).reorder(half, s, pair, n).unroll(half).vectorize(s, lanes);
    functions()->insert(kernel_cpu(get_target()));
  }

 private:
  Var s{"s"}, half{"half"}, pair{"pair"}, n{"n"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericButterfly, generic_butterfly)
