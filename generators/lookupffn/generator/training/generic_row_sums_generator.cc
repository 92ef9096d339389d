// Gradients of rows: the sum of score * d_y over the tokens that picked a row.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "row_prefetch.h"

namespace lookupffn {
namespace {

using namespace Halide;

enum class Outer { kPairs, kColumns };

class GenericRowSums : public KernelGenerator<GenericRowSums> {
 public:
  // ---- the problem: any ----

  // ---- the schedule ----
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};  // bytes of a vector of floats; 0: the target's
  GeneratorParam<int> vectors{"vectors", 4};            // vectors of a row that a loop iteration takes
  // the outer loop: over pairs, each of which is added whole, or over columns, which all pairs are added to before the next
  GeneratorParam<Outer> outer{"outer", Outer::kPairs, {{"pairs", Outer::kPairs}, {"columns", Outer::kColumns}}};
  GeneratorParam<int> unroll_pairs{"unroll_pairs", 1};      // pairs that a loop iteration takes
  GeneratorParam<int> prefetch_pairs{"prefetch_pairs", 0};  // how many pairs ahead rows of d_y are fetched; 0: not

  Input<Buffer<float>> d_y{"d_y", 2};        // [tokens, d_out]: d, n
  Input<Buffer<int32_t>> token{"token", 1};  // [pairs]
  Input<Buffer<int32_t>> place{"place", 1};  // [pairs]: which of d_rows
  Input<Buffer<float>> score{"score", 1};    // [pairs]
  Input<int> places{"places"};
  Output<Buffer<float>> d_rows{"d_rows", 2};  // [places, d_out]: d, k

  void generate() {
    j = RDom(0, token.dim(0).extent(), "j");
    Expr n = unsafe_promise_clamped(token(j), 0, d_y.dim(1).extent() - 1);
    Expr at = unsafe_promise_clamped(place(j), 0, places - 1);
    // d_rows[k] = sum over the pairs j of place k, in their order, of score[j] d_y[token[j]]
    d_rows(d, k) = 0.0f;
    d_rows(d, at) = multiply_add(score(j), d_y(d, n), d_rows(d, at));
  }

  void schedule() {
    const int lanes = vector_bytes > 0 ? int(vector_bytes) / 4 : std::min(16, vector_lanes(get_target()));
    const int columns = int(vectors) * lanes;
    for (int i = 0; i < 2; ++i) {
      d_y.dim(i).set_min(0);
      d_rows.dim(i).set_min(0);
    }
    token.dim(0).set_min(0);
    place.dim(0).set_min(0);
    score.dim(0).set_min(0);
    Var dv("dv"), di("di");
    d_rows.split(d, d, di, columns, TailStrategy::GuardWithIf).split(di, di, dv, lanes).vectorize(dv).unroll(di);
    Stage sum = d_rows.update();
    sum.split(d, d, di, columns, TailStrategy::GuardWithIf).split(di, di, dv, lanes).vectorize(dv).unroll(di);
    if (outer == Outer::kPairs) {
      sum.reorder(dv, di, d, j);
    } else {
      sum.reorder(dv, di, j, d);
    }
    RVar pair = j;
    if (unroll_pairs > 1) {
      RVar one("one");
      pair = RVar("pair");
      sum.split(j, pair, one, unroll_pairs).unroll(one);
    }
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
    if (prefetch_pairs > 0) {
      const int iterations = (int(prefetch_pairs) + int(unroll_pairs) - 1) / int(unroll_pairs);
      functions()->insert(prefetch_function(get_target()));
      get_pipeline().add_custom_lowering_pass(new RowPrefetch({"d_y"}, pair.name(), iterations));
    }
  }

 private:
  Var d{"d"}, k{"k"};
  RDom j;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericRowSums, generic_row_sums)
