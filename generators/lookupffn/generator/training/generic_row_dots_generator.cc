// Gradients of scores: the dot product of a picked row and d_y, for each pair of a token and a table.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "partial_sums.h"
#include "row_prefetch.h"

namespace lookupffn {
namespace {

using namespace Halide;

class GenericRowDots : public KernelGenerator<GenericRowDots> {
 public:
  // ---- the problem: any ----

  // ---- the schedule ----
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};           // bytes of a vector of floats; 0: the target's
  GeneratorParam<int> pairs{"pairs", 1};                         // that a loop iteration takes
  GeneratorParam<int> unroll_columns{"unroll_columns", 1};       // terms of a partial sum that a loop iteration takes
  GeneratorParam<int> prefetch_pairs{"prefetch_pairs", 2};       // how many pairs ahead rows are fetched; 0: not
  GeneratorParam<bool> prefetch_table{"prefetch_table", false};  // the table's, too
  GeneratorParam<int> prefetch_lines{"prefetch_lines", 1};       // every so many-th cache line of a row is fetched

  Input<Buffer<float>> table{"table", 2};    // [rows, d_out]: d, row
  Input<Buffer<float>> d_y{"d_y", 2};        // [tokens, d_out]: d, n
  Input<Buffer<int32_t>> row{"row", 1};      // [pairs]
  Input<Buffer<int32_t>> token{"token", 1};  // [pairs or more]: those behind the last pair are fetched
  Output<Buffer<float>> dot{"dot", 1};       // [pairs]: j

  void generate() {
    const Expr d_out = table.dim(0).extent();
    whole = RDom(0, d_out / kPartialSums, "whole");
    rest = RDom(0, d_out % kPartialSums, "rest");
    // Both are j, but where several pairs are taken at a time: behind the last one it stands for what is not there.
    const Expr of_row = min(j, row.dim(0).extent() - 1), of_token = min(j, token.dim(0).extent() - 1);
    const auto term = [&](const Expr& d, const Expr& sum) {
      return multiply_add(table(d, unsafe_promise_clamped(row(of_row), 0, table.dim(1).extent() - 1)),
                          d_y(d, unsafe_promise_clamped(token(of_token), 0, d_y.dim(1).extent() - 1)), sum);
    };
    // dot[j] = sum_d table[row[j], d] d_y[token[j], d], in the order of partial_sums.h
    partial(lane, j) = 0.0f;
    partial(lane, j) = term(whole * kPartialSums + lane, partial(lane, j));
    partial(rest, j) = term(d_out / kPartialSums * kPartialSums + rest, partial(rest, j));
    folded(lane, j) = strict_float(fold_partials([&](const Expr& at) { return partial(at, j); }, lane));
    dot(j) = strict_float(add_in_pairs([&](int at) { return folded(at, j); }, Pairs::kHalves));
  }

  void schedule() {
    const int lanes = vector_bytes > 0 ? int(vector_bytes) / 4 : std::min(16, vector_lanes(get_target()));
    for (int d = 0; d < 2; ++d) {
      table.dim(d).set_min(0);
      d_y.dim(d).set_min(0);
    }
    row.dim(0).set_min(0);
    token.dim(0).set_min(0);
    dot.dim(0).set_min(0);
    Var one("one");
    if (pairs > 1) {
      dot.split(j, j, one, pairs, TailStrategy::GuardWithIf).unroll(one);
      for (Func sums : {partial, folded}) sums.bound_extent(j, pairs);
    }
    for (Func sums : {partial, folded}) sums.compute_at(dot, j).vectorize(lane, lanes).unroll(lane).unroll(j);
    partial.bound(lane, 0, kPartialSums);
    partial.update(0).reorder(lane, j, whole).vectorize(lane, lanes).unroll(lane).unroll(j);
    if (unroll_columns > 1) partial.update(0).unroll(whole, unroll_columns);
    partial.update(1).unscheduled();
    folded.bound(lane, 0, kFoldedSums);
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
    if (prefetch_pairs == 0) return;
    // Tokens come in no order that a CPU could foresee.
    functions()->insert(prefetch_function(get_target()));
    const int iterations = (int(prefetch_pairs) + int(pairs) - 1) / int(pairs);
    get_pipeline().add_custom_lowering_pass(new RowPrefetch({"d_y"}, j.name(), iterations, "token", prefetch_lines));
    if (prefetch_table) {
      get_pipeline().add_custom_lowering_pass(new RowPrefetch({"table"}, j.name(), iterations, "", prefetch_lines));
    }
  }

 private:
  Var j{"j"}, lane{"lane"};
  RDom whole, rest;
  Func partial{"partial"}, folded{"folded"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::GenericRowDots, generic_row_dots)
