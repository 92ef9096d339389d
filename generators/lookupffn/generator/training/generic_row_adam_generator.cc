// A step of Adam on some rows of a parameter, where they lie.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "row_prefetch.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericRowAdam : public KernelGenerator<GenericRowAdam> {
 public:
  // ---- the problem: any ----

  // ---- the schedule ----
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};    // bytes of a vector of floats; 0: the target's
  GeneratorParam<int> vectors{"vectors", 2};              // vectors of a row that a loop iteration takes
  GeneratorParam<int> prefetch_rows{"prefetch_rows", 0};  // how many rows ahead the state is fetched; 0: not

  Input<Buffer<float>> gradient{"gradient", 2};      // [places, width]: d, k
  Input<Buffer<int32_t>> row{"row", 1};              // [places]: which row of the parameter, each once
  Input<Buffer<float>> decay{"decay", 1};            // [places]: the factor of decay that the row is owed
  Input<Buffer<float>> size{"size", 1};              // [places]: lr / (1 - beta1^steps)
  Input<Buffer<float>> correction{"correction", 1};  // [places]: 1 / sqrt(1 - beta2^steps)
  Input<float> beta1{"beta1"}, rest1{"rest1"};       // rest1 = 1 - beta1
  Input<float> beta2{"beta2"}, rest2{"rest2"};
  Input<float> eps{"eps"};
  Input<int> rows{"rows"};
  Output<Func> state{"state", {Float(32), Float(32), Float(32)}, 2};  // parameter, mean, square: [rows, width]: d, r

  void generate() {
    k = RDom(0, row.dim(0).extent(), "k");
    Expr at = unsafe_promise_clamped(row(k), 0, rows - 1);
    Expr g = gradient(d, k);
    state(d, r) = Tuple(undef<float>(), undef<float>(), undef<float>());
    // mean   = beta1 mean + (1 - beta1) g
    // square = beta2 square + (1 - beta2) g^2
    // parameter = decay parameter - size mean / (correction sqrt(square) + eps)
    Expr mean = multiply_add(rest1, g, strict_float(beta1 * state(d, at)[1]));
    Expr square = multiply_add(strict_float(rest2 * g), g, strict_float(beta2 * state(d, at)[2]));
    Expr change = strict_float(size(k) * mean / multiply_add(correction(k), strict_float(sqrt(square)), eps));
    state(d, at) = Tuple(multiply_add(decay(k), state(d, at)[0], -change), mean, square);
  }

  void schedule() {
    const int lanes = vector_bytes > 0 ? int(vector_bytes) / 4 : std::min(16, vector_lanes(get_target()));
    for (int i = 0; i < 2; ++i) {
      Func(state).output_buffers()[0].dim(i).set_min(0);
      gradient.dim(i).set_min(0);
    }
    row.dim(0).set_min(0);
    for (Input<Buffer<float>>* of_row : {&decay, &size, &correction}) of_row->dim(0).set_min(0);
    Var dv("dv"), di("di");
    Func(state)
        .update()
        .split(d, d, di, int(vectors) * lanes, TailStrategy::GuardWithIf)
        .split(di, di, dv, lanes)
        .reorder(dv, di, d, k)
        .vectorize(dv)
        .unroll(di);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
    if (prefetch_rows > 0) {
      // Rows that tokens picked lie anywhere in their table.
      functions()->insert(prefetch_function(get_target()));
      get_pipeline().add_custom_lowering_pass(
          new RowPrefetch({"state.0", "state.1", "state.2"}, RVar(k).name(), prefetch_rows));
    }
  }

 private:
  Var d{"d"}, r{"r"};
  RDom k;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericRowAdam, generic_row_adam)
