// z -> code, score for any number of tables and bits: the last kernel of the generic hash.
#include "Halide.h"
#include "code_and_score.h"
#include "exp_of_negative.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericCodeAndScore : public KernelGenerator<GenericCodeAndScore> {
 public:
  // ---- the problem ----
  GeneratorParam<ZeroBit> zero{"zero", ZeroBit::kZero, zero_bit_names()};

  Input<Buffer<float>> v{"v", 2};            // [tokens, outputs], the projection without bias and skip: k, n
  Input<Buffer<float>> h{"h", 2};            // [tokens, width]: i, n
  Input<Buffer<float>> offset{"offset", 1};  // [outputs]: the projection's bias
  Input<float> skip{"skip"};                 // BH4: 1 - decay; dense: 0
  Input<int> bits{"bits"};
  Output<Func> code_and_score{
      "code_and_score", {UInt(16), Float(32)}, 2};  // both [tokens, tables]: t, n; tables rounded up to 16

  void generate() {
    RDom j(0, bits, "j");
    // z = v + (1 - decay) * h, repeated, + b
    Expr k = t * bits + j;
    // BH4's width is a power of two; others skip nothing, whatever is read. A remainder would take longer than all the rest.
    const Expr last = h.dim(0).extent() - 1;
    Expr i = unsafe_promise_clamped(k & last, 0, last);
    Expr z = strict_float(v(k, n) + skip * h(i, n) + offset(k));
    // code  = sum_j (z[j] > 0) << (bits - 1 - j), or z[j] >= 0
    // score = sum_j |z[j]| / prod_j (1 + exp(-2 |z[j]|))
    sums(t, n) = Tuple(cast<uint16_t>(0), 0.0f, 1.0f);
    sums(t, n) =
        Tuple(cast<uint16_t>(sums(t, n)[0] * 2 + select(sets_bit(z, zero), cast<uint16_t>(1), cast<uint16_t>(0))),
              strict_float(sums(t, n)[1] + abs(z)), strict_float(sums(t, n)[2] * (1.0f + exp_of_negative(-2.0f * abs(z)))));
    code_and_score(t, n) = Tuple(sums(t, n)[0], strict_float(sums(t, n)[1] / sums(t, n)[2]));
  }

  void schedule() {
    const int lanes = std::min(16, vector_lanes(get_target()));
    Func result = code_and_score;
    OutputImageParam first = result.output_buffers()[0];
    first.dim(0).set_min(0).set_extent(first.dim(0).extent() / 16 * 16);
    first.dim(1).set_min(0);
    v.dim(0).set_min(0);
    v.dim(1).set_min(0);
    h.dim(0).set_min(0);
    h.dim(1).set_min(0);
    offset.dim(0).set_min(0);
    Var tv("tv");
    result.split(t, t, tv, lanes).vectorize(tv);
    sums.compute_at(result, t).vectorize(t, lanes);
    sums.update().vectorize(t, lanes);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
  }

 private:
  Var t{"t"}, n{"n"};
  Func sums{"sums"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericCodeAndScore, generic_code_and_score)
