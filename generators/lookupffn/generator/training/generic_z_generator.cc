// z of what a projection gives, where it lies.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericZ : public KernelGenerator<GenericZ> {
 public:
  Input<Buffer<float>> h{"h", 2};            // [tokens, width]: i, n
  Input<Buffer<float>> offset{"offset", 2};  // [repeats, width]: the projection's bias: i, repeat
  Input<float> skip{"skip"};                 // BH4: 1 - decay; dense: 0
  Output<Buffer<float>> z{"z", 3};           // [tokens, repeats, width], which holds v: i, repeat, n; width is a multiple of 16

  void generate() {
    // z = v + (1 - decay) * h, repeated, + b: as generic_code_and_score has it
    z(i, repeat, n) = undef<float>();
    z(i, repeat, n) = strict_float(z(i, repeat, n) + skip * h(i, n) + offset(i, repeat));
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    for (int dim = 0; dim < 3; ++dim) z.dim(dim).set_min(0);
    z.dim(0).set_extent(z.dim(0).extent() / 16 * 16);
    for (int dim = 0; dim < 2; ++dim) {
      h.dim(dim).set_min(0);
      offset.dim(dim).set_min(0);
    }
    Var iv("iv"), ii("ii");
    z.update().split(i, i, ii, 16).split(ii, ii, iv, lanes).vectorize(iv).unroll(ii);
    functions()->insert(kernel_cpu(get_target()));
  }

 private:
  Var i{"i"}, repeat{"repeat"}, n{"n"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericZ, generic_z)
