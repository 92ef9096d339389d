// y = sum over a bag's ids of weight * row, times a factor of the bag: the embedding bag.
#include "../runtime/bag_layout.h"
#include "Halide.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "multiply_add.h"
#include "packed_types.h"
#include "row_prefetch.h"
#include "stack_storage.h"

namespace lookupffn {
namespace {

using namespace Halide;

class EmbeddingBag : public KernelGenerator<EmbeddingBag> {
 public:
  // ---- the problem; 0 means "known at run time" ----
  GeneratorParam<int> d_out{"d_out", 0};  // floats of a packed row
  GeneratorParam<PackedType> table_type{"table_type", PackedType::f32, packed_type_names()};

  // ---- the schedule ----
  GeneratorParam<int> d_tile{"d_tile", 64};             // floats of y held in registers
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};  // bytes of a vector of floats; 0: the target's
  GeneratorParam<int> prefetch_ids{"prefetch_ids", 0};  // rows fetched that many ids ahead, of the next bags too

  Input<Buffer<int64_t>> ids{"ids", 1};          // [ids]: i
  Input<Buffer<float>> weight{"weight", 1};      // [ids]: i; stride 0: the same for all
  Input<Buffer<int32_t>> offsets{"offsets", 1};  // [bags + 1]: n; bag n is ids[offsets[n]] up to ids[offsets[n + 1]]
  Input<Buffer<float>> factor{"factor", 1};      // [bags]: n; stride 0: the same for all
  Input<Buffer<>> table{"table", 3};       // [rows / kRowsTogether, kRowsTogether, words of d_out columns]: word, low, high
  Input<Buffer<float>> scale{"scale", 2};  // types with scales: [.., kRowsTogether]: low, high; else unused
  Output<Buffer<float>> y{"y", 2};         // [bags, d_out]: d, n

  void configure() { table.set_type(row_word_type(table_type)); }

  void generate() {
    i = RDom(0, ids.dim(0).extent(), "i");
    // A row's number may need more than the 32 bits of an index. Ids were checked; saying so bounds them for Halide.
    Expr low = unsafe_promise_clamped(cast<int>(ids(i) & (kRowsTogether - 1)), 0, kRowsTogether - 1);
    Expr high = unsafe_promise_clamped(cast<int>(ids(i) / kRowsTogether), 0, table.dim(2).extent() - 1);
    // A row's scale is folded into the weight.
    Expr of_row = has_scales(table_type) ? weight(i) * scale(low, high) : weight(i);
    const auto word = [&](const Expr& w) { return table(w, low, high); };
    // The ids of bag n.
    i.where(offsets(n) <= i && i < offsets(n + 1));

    // total[n, d] = sum over ids i of bag n of weight[i] * table[ids[i], d], in the order of the ids
    total(d, n) = 0.0f;
    total(d, n) = multiply_add(of_row, unpacked(word, d, table_type), total(d, n));
    // y[n, d] = total[n, d] * factor[n]
    y(d, n) = total(d, n) * factor(n);
  }

  void schedule() {
    for (int dim = 0; dim < table.dimensions(); ++dim) table.dim(dim).set_min(0);
    for (int dim = 0; dim < scale.dimensions(); ++dim) scale.dim(dim).set_min(0).set_stride(dim == 0 ? 1 : kRowsTogether);
    for (int dim = 0; dim < y.dimensions(); ++dim) y.dim(dim).set_min(0);
    ids.dim(0).set_min(0);
    offsets.dim(0).set_min(0);
    for (Input<Buffer<float>>* each : {&weight, &factor}) each->dim(0).set_min(0).set_stride(Expr());
    if (d_out > 0) {
      const int row_words = int(row_format(table_type).words(size_t(int(d_out))));
      table.dim(1).set_stride(row_words).dim(2).set_stride(row_words * kRowsTogether);
    }
    functions()->insert(kernel_cpu(get_target()));
    functions()->insert(multiply_add_functions(get_target()));

    const int lanes = (vector_bytes > 0 ? int(vector_bytes) : vector_lanes(get_target()) * 4) / 4;
    const int tile = d_tile;
    Var dt("dt"), di("di"), dv("dv");
    y.dim(0).set_extent(d_out == tile ? Expr(tile) : y.dim(0).extent() / tile * tile);
    y.split(d, dt, di, tile, TailStrategy::RoundUp).split(di, di, dv, lanes).vectorize(dv).unroll(di).reorder(dv, di, dt, n);
    keep_on_stack(total);
    total.compute_at(y, dt).bound_extent(d, tile).split(d, di, dv, lanes).vectorize(dv).unroll(di);
    total.update().split(d, di, dv, lanes).vectorize(dv).unroll(di).reorder(dv, di, i.x);
    if (prefetch_ids > 0) {
      functions()->insert(prefetch_function(get_target()));
      get_pipeline().add_custom_lowering_pass(new RowPrefetch({"table", "scale"}, i.x.name(), prefetch_ids, "ids"));
    }
  }

 private:
  Var d{"d"}, n{"n"};
  RDom i;
  Func total{"total"};
};

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::EmbeddingBag, embedding_bag)
