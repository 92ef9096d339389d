// y = bias + sum over tables of score * row: the table gather.
#include "Halide.h"
#include "packed_types.h"
#include "row_prefetch.h"
#include "sum_in_order.h"

namespace lookupffn {
namespace {

using namespace Halide;

enum class Parallel { kTokens, kSlices };

class Gather : public Generator<Gather> {
 public:
  // ---- the problem; 0 means "known at run time" ----
  GeneratorParam<int> d_out{"d_out", 0};    // floats of a packed row: a multiple of kRowFloats
  GeneratorParam<int> tables{"tables", 0};
  GeneratorParam<int> bits{"bits", 0};
  GeneratorParam<PackedType> table_type{"table_type", PackedType::kF32, packed_type_names()};

  // ---- the schedule ----
  GeneratorParam<int> d_tile{"d_tile", 128};          // floats of y held in registers
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};  // bytes of a vector of floats; 0: the target's
  GeneratorParam<int> tables_pass{"tables_pass", 0};  // tables that all tokens visit before the next; 0: all
  GeneratorParam<int> unroll_tables{"unroll_tables", 1};
  GeneratorParam<int> prefetch_tables{"prefetch_tables", 0};  // rows fetched that many tables ahead
  GeneratorParam<bool> whole_rows{"whole_rows", false};  // a row is read to its end before the next table's; y stays in memory
  // Read by the runtime, whose threads run the kernel on part of the tokens or of d_out:
  GeneratorParam<Parallel> parallel{"parallel", Parallel::kTokens, {{"tokens", Parallel::kTokens}, {"slices", Parallel::kSlices}}};

  Input<Buffer<uint16_t>> code{"code", 2};    // [tokens, tables]: t, n
  Input<Buffer<float>> score{"score", 2};     // [tokens, tables]: t, n
  Input<Buffer<>> table{"table", 3};          // [tables, rows, d_out]: d, row, t
  Input<Buffer<float>> scale{"scale", 2};     // i8 tables: [tables, rows]: row, t; else unused
  Input<Buffer<float>> bias{"bias", 1};       // [d_out]
  Output<Buffer<float>> y{"y", 2};            // [tokens, d_out]: d, n

  void configure() { table.set_type(packed_type_of(table_type)); }

  void generate() {
    table_count = tables > 0 ? Expr(int(tables)) : code.dim(0).extent();
    t = RDom(0, table_count, "t");
    Expr rows = bits > 0 ? Expr(1 << int(bits)) : table.dim(1).extent();

    // A code is below rows by construction; saying so bounds the table's row for Halide.
    Expr row = unsafe_promise_clamped(cast<int>(code(t, n)), 0, rows - 1);
    // i8 rows carry one scale each, folded into the score.
    Expr weight = table_type == PackedType::kI8 ? score(t, n) * scale(row, t) : score(t, n);

    // y[n, d] = bias[d] + sum_t score[n, t] * table[t, code[n, t], d]
    y(d, n) = bias(d);
    y(d, n) = sum_in_order(y(d, n), weight * unpacked(table(d, row, t), table_type), get_target(), kUnrolledTerms + 1);
  }

  void schedule() {
    const int lanes = (vector_bytes > 0 ? int(vector_bytes) : get_target().natural_vector_size<float>() * 4) / 4;
    code.dim(0).set_min(0);
    code.dim(1).set_min(0);
    score.dim(0).set_min(0);
    score.dim(1).set_min(0);
    scale.dim(0).set_min(0);
    scale.dim(1).set_min(0);
    table.dim(0).set_min(0);
    table.dim(1).set_min(0);
    table.dim(2).set_min(0);
    bias.dim(0).set_min(0);
    y.dim(0).set_min(0);
    y.dim(1).set_min(0);
    if (d_out > 0) table.dim(1).set_stride(int(d_out));
    if (d_out > 0 && bits > 0) table.dim(2).set_stride(int(d_out) << int(bits));

    const int tile = d_tile;
    y.dim(0).set_extent(y.dim(0).extent() / tile * tile);
    y.vectorize(d, lanes);
    Var dt("dt"), di("di"), dv("dv");
    RVar pass("pass"), u("u"), tt("tt");
    Stage sum = y.update();
    sum.split(d, dt, di, tile, TailStrategy::RoundUp).split(di, di, dv, lanes).vectorize(dv).unroll(di);
    RVar inner = t;
    if (tables_pass > 0) {
      sum.split(t, pass, tt, int(tables_pass), TailStrategy::GuardWithIf);
      inner = tt;
    }
    std::vector<VarOrRVar> order = {dv, di, inner, dt, n};
    if (whole_rows) std::swap(order[2], order[3]);
    if (tables_pass > 0) order.push_back(pass);
    sum.reorder(order);
    if (unroll_tables > 1) sum.unroll(inner, int(unroll_tables), TailStrategy::GuardWithIf);
    if (prefetch_tables > 0) prefetch_rows(inner.name(), prefetch_tables);
  }

 private:
  void prefetch_rows(const std::string& variable, int distance) {
    get_externs_map()->insert({prefetch_function_name(), prefetch_function(get_target())});
    get_pipeline().add_custom_lowering_pass(new RowPrefetch("table", variable, distance));
  }

  Var d{"d"}, n{"n"};
  RDom t;
  Expr table_count;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::Gather, gather)
