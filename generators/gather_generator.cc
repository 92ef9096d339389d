// y = bias + sum over tables of score * row: the table gather.
#include <functional>
#include <memory>
#include <vector>

#include "Halide.h"
#include "byte_dots.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "packed_types.h"
#include "quantised_weights.h"
#include "row_prefetch.h"

namespace lookupffn {
namespace {

using namespace Halide;

enum class Parallel { kTokens, kSlices };

class Gather : public KernelGenerator<Gather> {
 public:
  // ---- the problem; 0 means "known at run time" ----
  GeneratorParam<int> d_out{"d_out", 0};  // floats of a packed row: a multiple of kRowFloats
  GeneratorParam<int> tables{"tables", 0};
  GeneratorParam<int> bits{"bits", 0};
  GeneratorParam<PackedType> table_type{"table_type", PackedType::f32, packed_type_names()};

  // ---- the schedule ----
  GeneratorParam<int> d_tile{"d_tile", 128};            // floats of y held in registers
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};  // bytes of a vector of floats; 0: the target's
  GeneratorParam<int> tables_pass{"tables_pass", 0};    // tables that all tokens visit before the next; 0: all
  GeneratorParam<int> unroll_tables{"unroll_tables", 1};
  GeneratorParam<int> prefetch_tables{"prefetch_tables", 0};  // rows fetched that many tables ahead
  GeneratorParam<bool> whole_rows{"whole_rows", false};  // a row is read to its end before the next table's; y stays in memory
  // Read by the runtime, whose threads run the kernel on part of the tokens or of d_out:
  GeneratorParam<Parallel> parallel{
      "parallel", Parallel::kTokens, {{"tokens", Parallel::kTokens}, {"slices", Parallel::kSlices}}};

  Input<Buffer<uint16_t>> code{"code", 2};  // [tokens, tables]: t, n
  Input<Buffer<float>> score{"score", 2};   // [tokens, tables]: t, n
  Input<Buffer<>> table{"table", 3};        // [tables, rows, words of d_out columns]: word, row, t: registry/row_format.h
  Input<Buffer<float>> scale{"scale", 2};   // types with scales: [tables, rows]: row, t; else unused
  Input<Buffer<float>> bias{"bias"};        // [d_out]: d; byte dots: [d_out / 64, 4, 16]: lane, q, chunk
  Output<Buffer<float>> y{"y"};             // [tokens, d_out]: d, n; byte dots: lane, q, chunk, n

  void configure() {
    table.set_type(row_word_type(table_type));
    bias.set_dimensions(dots() ? 3 : 1);
    y.set_dimensions(dots() ? 4 : 2);
  }

  void generate() {
    table_count = tables > 0 ? Expr(int(tables)) : code.dim(0).extent();
    if (dots()) {
      generate_dots();
    } else {
      generate_floats();
    }
  }

  void schedule() {
    for (int dim = 0; dim < 2; ++dim) {
      code.dim(dim).set_min(0);
      score.dim(dim).set_min(0);
      scale.dim(dim).set_min(0);
    }
    for (int dim = 0; dim < table.dimensions(); ++dim) table.dim(dim).set_min(0);
    for (int dim = 0; dim < bias.dimensions(); ++dim) bias.dim(dim).set_min(0);
    for (int dim = 0; dim < y.dimensions(); ++dim) y.dim(dim).set_min(0);
    const int row_words = int(row_format(table_type).words(size_t(int(d_out))));
    if (d_out > 0) table.dim(1).set_stride(row_words);
    if (d_out > 0 && bits > 0) table.dim(2).set_stride(row_words << int(bits));
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));
    if (dots()) {
      schedule_dots();
    } else {
      schedule_floats();
    }
  }

 private:
  // The row that table t's code picks. A code is below rows by construction; saying so bounds it for Halide.
  Expr row_of(const Expr& t) {
    Expr rows = bits > 0 ? Expr(1 << int(bits)) : table.dim(1).extent();
    return unsafe_promise_clamped(cast<int>(code(t, n)), 0, rows - 1);
  }

  // ---- rows as floats ----

  void generate_floats() {
    t = RDom(0, table_count, "t");
    Expr row = row_of(t);
    // A row's scale is folded into the score.
    Expr weight = has_scales(table_type) ? score(t, n) * scale(row, t) : score(t, n);
    const auto word = [&](const Expr& w) { return table(w, row, t); };

    // y[n, d] = bias[d] + sum_t weight[n, t] * table[t, code[n, t], d]
    y(d, n) = bias(d);
    y(d, n) = multiply_add(weight, unpacked(word, d, table_type), y(d, n));
  }

  void schedule_floats() {
    const int lanes = (vector_bytes > 0 ? int(vector_bytes) : vector_lanes(get_target()) * 4) / 4;
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

  // ---- rows as bytes, four tables at a time ----

  void generate_dots() {
    // score_in_scale[n, t] = score[n, t] scale[t, code[n, t]]: a row's scale is folded into the score. Behind the last table
    // are tables of no weight.
    Func score_in_scale("score_in_scale");
    Expr last = min(t_, table_count - 1);
    Expr weight = strict_float(score(last, n) * scale(row_of(last), last));
    // A hash gives no negative score. What cannot be represented is made to show.
    Expr not_a_number = reinterpret<float>(cast<uint32_t>(Expr(0x7fc00000)));
    score_in_scale(t_, n) = strict_float(select(t_ >= table_count, 0.0f, weight >= 0.0f, weight, not_a_number));
    weights.reset(new QuantisedWeights(score_in_scale, t_, n));

    // total[n, g, d] = sum over the tables t of group g of q[n, t] table[t, code[n, t], d], q[n, t] = about
    // score_in_scale[n, t] / unit[n, g]: integers
    const int numbers = int(row_format(table_type).byte_numbers());
    group = RDom(0, (table_count + (kGroup - 1)) / kGroup, "group");
    const auto words = [&](const Expr& t) {
      Expr clamped = min(t, table_count - 1);
      return table(chunk / numbers * kQuadLanes + lane, row_of(clamped), clamped);
    };
    // sum_t q[t] f(byte[t]) of the bytes that vector k of quads has of the tables of group g, and `start`
    const auto sum_of_dots = [&](int k, const Expr& start, const std::function<Expr(Expr)>& f) {
      Expr high = 0, low = start;
      for (int quad = 0; quad < kGroup / 4; ++quad) {
        Expr first = g * kGroup + 4 * quad;
        Expr bytes = f(quads({words(first), words(first + 1), words(first + 2), words(first + 3)}, k));
        high = quad_dot(high, weights->quad(first, 1), bytes);
        low = quad_dot(low, weights->quad(first, 0), bytes);
      }
      return (high << 8) + low;
    };
    // Of the signed bytes as they are: sum_t q[t] byte[t] = sum_t q[t] (byte[t] + offset) - offset sum_t q[t].
    const int offset = quad_offset(get_target());
    const auto dots_of_bytes = [&](int k, const Expr& start) {
      return sum_of_dots(k, offset == 0 ? start : start - weights->sum(g, n) * offset,
                         [&](const Expr& bytes) { return with_offset(bytes, get_target()); });
    };
    std::vector<Expr> of_q;
    for (int k = 0; k < kQuadVectors; ++k) {
      if (numbers == 1) {
        of_q.push_back(dots_of_bytes(k, 0));
        continue;
      }
      // A byte is 16 b + a + 8, its low bits a + 8. The sum of q a for the first 64 columns of 128, of q b for the others:
      Expr eights = weights->sum(g, n) * -8;
      Expr of_a = sum_of_dots(k, eights, [](Expr bytes) { return bytes & 0x0f0f0f0f; });
      Expr of_b = (dots_of_bytes(k, eights) - of_a) >> 4;
      of_q.push_back(select(chunk % 2 == 0, of_a, of_b));
    }
    total(lane, q, chunk, g, n) = mux(q, of_q);

    // y[n, d] = bias[d] + sum_g unit[n, g] * total[n, g, d]
    y(lane, q, chunk, n) = bias(lane, q, chunk);
    y(lane, q, chunk, n) =
        multiply_add(weights->unit(group, n), cast<float>(total(lane, q, chunk, group, n)), y(lane, q, chunk, n));
  }

  void schedule_dots() {
    const int chunks = int(d_tile) / kQuadColumns;
    y.dim(0).set_bounds(0, kQuadLanes).dim(1).set_bounds(0, kQuadVectors).set_stride(kQuadLanes);
    y.dim(2).set_stride(kQuadColumns).set_extent(y.dim(2).extent() / chunks * chunks);
    bias.dim(1).set_stride(kQuadLanes).dim(2).set_stride(kQuadColumns);
    const int lanes = quad_vector_lanes(get_target());
    const bool whole_vectors = lanes == kQuadLanes;
    y.bound(lane, 0, kQuadLanes).bound(q, 0, kQuadVectors).vectorize(lane, lanes).unroll(q);
    Var tile("tile"), inner("inner"), part("part");
    RVar pass("pass"), within("within");
    Stage sum = y.update();
    sum.split(chunk, tile, inner, chunks, TailStrategy::RoundUp).split(lane, part, lane, lanes).vectorize(lane).unroll(q);
    // Short vectors: registers hold the sums of a part of the lanes.
    if (whole_vectors) sum.unroll(inner);
    RVar groups = group;
    if (tables_pass > 0) {
      sum.split(group, pass, within, int(tables_pass) / kGroup, TailStrategy::GuardWithIf);
      groups = within;
    }
    std::vector<VarOrRVar> order = {lane, q, part, inner, groups, tile, n};
    if (whole_rows) std::swap(order[4], order[5]);
    if (tables_pass > 0) order.push_back(pass);
    sum.reorder(order);
    if (!whole_vectors) {
      total.compute_at(y, part);
    } else if (whole_rows) {
      total.compute_at(y, tile);
    } else {
      total.compute_at(y, groups);
    }
    total.vectorize(lane).unroll(q);
    if (whole_vectors) total.unroll(chunk);
    weights->compute_at(y, n, tables_pass > 0 ? int(tables_pass) / kGroup : (int(tables) + kGroup - 1) / kGroup);
    functions()->insert(byte_dot_functions(get_target()));
    if (prefetch_tables > 0) prefetch_rows(groups.name(), int(prefetch_tables) / kGroup);
  }

  static constexpr int kGroup = QuantisedWeights::kGroup;  // tables

  void prefetch_rows(const std::string& variable, int distance) {
    functions()->insert(prefetch_function(get_target()));
    get_pipeline().add_custom_lowering_pass(new RowPrefetch({"table"}, variable, distance));
  }

  bool dots() const { return row_format(table_type).byte_dots; }

  Var d{"d"}, n{"n"};
  RDom t;
  // of byte dots:
  Var lane{"lane"}, q{"q"}, chunk{"chunk"}, g{"g"}, t_{"t_"};
  RDom group;
  Func total{"total"};
  std::unique_ptr<QuantisedWeights> weights;
  Expr table_count;
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::Gather, gather)
