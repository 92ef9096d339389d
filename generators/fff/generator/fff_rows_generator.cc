// y = sum over a path's nodes of score * row, the nodes of a tree sharing one table.
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "row_prefetch.h"
#include "stack_storage.h"

namespace lookupffn {
namespace {

using namespace Halide;

class FffRows : public KernelGenerator<FffRows> {
 public:
  // ---- the problem; 0 means "known at run time" ----
  GeneratorParam<int> d_out{"d_out", 0};  // floats of a packed row: a multiple of 16
  GeneratorParam<int> trees{"trees", 0};
  GeneratorParam<int> depth{"depth", -1};  // -1: known at run time

  // ---- the schedule ----
  GeneratorParam<int> d_tile{"d_tile", 16};               // floats of y held in registers
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};    // bytes of a vector of floats; 0: the target's
  GeneratorParam<int> prefetch_rows{"prefetch_rows", 0};  // rows fetched that many ahead

  Input<Buffer<int32_t>> code{"code", 3};  // [tokens, trees, depth + 1]: l, t, n
  Input<Buffer<float>> score{"score", 3};  // likewise
  Input<Buffer<float>> table{"table", 3};  // [trees, nodes, d_out]: d, node, t
  Output<Buffer<float>> y{"y", 2};         // [tokens, d_out]: d, n

  void generate() {
    const Expr levels = depth >= 0 ? Expr(int(depth) + 1) : code.dim(0).extent();
    const Expr tree_count = trees > 0 ? Expr(int(trees)) : code.dim(1).extent();
    path = RDom(0, levels, 0, tree_count, "path");
    const RVar l = path.x, t = path.y;
    // A code is a node by construction; saying so bounds it for Halide.
    const Expr nodes = depth >= 0 ? Expr((2 << int(depth)) - 1) : table.dim(1).extent();
    const Expr node = unsafe_promise_clamped(code(l, t, n), 0, nodes - 1);

    // y[n, d] = sum_t sum_l score[n, t, l] * table[t, code[n, t, l], d]
    sum(d, n) = sum_start();
    sum(d, n) = multiply_add(score(l, t, n), table(d, node, t), sum(d, n));
    y(d, n) = sum(d, n);
  }

  void schedule() {
    const int lanes = std::min((vector_bytes > 0 ? int(vector_bytes) : vector_lanes(get_target()) * 4) / 4, int(d_tile));
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
    for (int dim = 0; dim < 3; ++dim) {
      code.dim(dim).set_min(0);
      score.dim(dim).set_min(0);
      table.dim(dim).set_min(0);
    }
    y.dim(0).set_min(0).set_extent(d_out > 0 ? Expr(int(d_out)) : y.dim(0).extent() / int(d_tile) * int(d_tile));
    y.dim(1).set_min(0);
    if (d_out > 0) table.dim(1).set_stride(int(d_out));
    if (d_out > 0 && depth >= 0) table.dim(2).set_stride(int(d_out) * ((2 << int(depth)) - 1));

    Var tile("tile"), within("within");
    y.split(d, tile, within, int(d_tile), TailStrategy::RoundUp).vectorize(within, lanes).unroll(within);
    keep_on_stack(sum.compute_at(y, tile).vectorize(d, lanes).unroll(d));
    sum.update().reorder(d, path.x, path.y).vectorize(d, lanes).unroll(d);
    if (prefetch_rows > 0) {
      functions()->insert(prefetch_function(get_target()));
      get_pipeline().add_custom_lowering_pass(new RowPrefetch({"table"}, path.x.name(), prefetch_rows));
    }
  }

 private:
  Var d{"d"}, n{"n"};
  RDom path;
  Func sum{"sum"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::FffRows, fff_rows)
