// Gradients of rows: the sum of score * d_y over the tokens that picked a row.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericRowSums : public KernelGenerator<GenericRowSums> {
 public:
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
    const int lanes = std::min(16, vector_lanes(get_target()));
    for (int i = 0; i < 2; ++i) {
      d_y.dim(i).set_min(0);
      d_rows.dim(i).set_min(0);
    }
    token.dim(0).set_min(0);
    place.dim(0).set_min(0);
    score.dim(0).set_min(0);
    Var dv("dv"), di("di");
    d_rows.split(d, d, di, 4 * lanes, TailStrategy::GuardWithIf).split(di, di, dv, lanes).vectorize(dv).unroll(di);
    d_rows.update()
        .split(d, d, di, 4 * lanes, TailStrategy::GuardWithIf)
        .split(di, di, dv, lanes)
        .reorder(dv, di, d, j)
        .vectorize(dv)
        .unroll(di);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
  }

 private:
  Var d{"d"}, k{"k"};
  RDom j;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericRowSums, generic_row_sums)
