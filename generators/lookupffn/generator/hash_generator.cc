// x -> code, score: LayerNorm (or none), projection, code and score of one tile of tokens.
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "Halide.h"
#include "code_and_score.h"
#include "cross_block_hadamard.h"
#include "float_product.h"
#include "halide_version.h"
#include "kernel_cpu.h"
#include "layer_norm.h"
#include "load_alignment.h"
#include "multiply_add.h"
#include "packed_types.h"
#include "panel_product.h"
#include "part_products.h"
#include "row_prefetch.h"
#include "stack_storage.h"
#include "tile_products.h"

namespace lookupffn {
namespace {

using namespace Halide;

enum class Norm { kLayerNorm, kNone };
enum class Projection { kDense, kBh4 };
enum class StatisticsAt { kToken, kTile };
enum class ProductsAt { kStage, kButterfly };
enum class ProjectionsAt { kToken, kTables, kTile };

class Hash : public KernelGenerator<Hash> {
 public:
  // ---- the problem ----
  GeneratorParam<int> d_in{"d_in", 512};
  GeneratorParam<int> tables{"tables", 64};  // of this call: a BH4 layer may be hashed one repeat at a time
  GeneratorParam<int> bits{"bits", 8};
  // none: of a dense projection only
  GeneratorParam<Norm> norm_of{"norm", Norm::kLayerNorm, {{"layer_norm", Norm::kLayerNorm}, {"none", Norm::kNone}}};
  GeneratorParam<Projection> projection{
      "projection", Projection::kBh4, {{"dense", Projection::kDense}, {"bh4", Projection::kBh4}}};
  GeneratorParam<int> block{"block", 64};     // packed block (BH4) or panel (dense): outputs of one small product
  GeneratorParam<int> repeats{"repeats", 1};  // BH4: repeats of this call
  GeneratorParam<PackedType> projection_type{"projection_type", PackedType::f32, packed_type_names()};
  GeneratorParam<bool> one_token{"one_token", false};  // a call's tokens are one, always
  GeneratorParam<ZeroBit> zero{"zero", ZeroBit::kZero, zero_bit_names()};

  // ---- the schedule ----
  GeneratorParam<int> token_tile{"token_tile", 24};           // tokens of a call
  GeneratorParam<int> token_registers{"token_registers", 6};  // tokens of a register tile
  GeneratorParam<int> output_vectors{"output_vectors", 4};    // vectors of outputs of a register tile
  GeneratorParam<int> panels{"panels", 1};                    // panels of a register tile
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};        // 0: the target's
  GeneratorParam<int> reduction_unroll{"reduction_unroll", 1};
  // the loops over register tiles of floats, from the outermost: panels, outputs, tokens, or panels, tokens, outputs, or
  // tokens, panels, outputs
  GeneratorParam<ProductOrder> product_order{
      "product_order",
      ProductOrder::kPanels,
      {{"panels", ProductOrder::kPanels}, {"outputs", ProductOrder::kOutputs}, {"tokens", ProductOrder::kTokens}}};
  // a BH4 stage's products: of the whole tile of tokens, or of a register tile, for its butterflies at once
  GeneratorParam<ProductsAt> products_at{
      "products_at", ProductsAt::kStage, {{"stage", ProductsAt::kStage}, {"butterfly", ProductsAt::kButterfly}}};
  GeneratorParam<int> butterflies{"butterflies", 0};          // from memory to memory; 0: all
  GeneratorParam<int> word_steps{"word_steps", 1};            // steps of 32 inputs whose words for tiles a loop iteration makes
  GeneratorParam<int> prefetch_inputs{"prefetch_inputs", 0};  // weights are fetched so many inputs ahead, of floats
  // LayerNorm's sums: of a token, before its h, or of all tokens of the tile first
  GeneratorParam<StatisticsAt> statistics_at{
      "statistics_at", StatisticsAt::kToken, {{"token", StatisticsAt::kToken}, {"tile", StatisticsAt::kTile}}};
  GeneratorParam<int> statistics_unroll{"statistics_unroll", 1};  // steps of 64 inputs of these sums
  GeneratorParam<int> norm_vectors{"norm_vectors", 1};            // vectors of h that a loop iteration takes
  // projections z: of a token, of a vector of tables, or of all tokens of the tile, before the codes
  GeneratorParam<ProjectionsAt> projections_at{
      "projections_at",
      ProjectionsAt::kToken,
      {{"token", ProjectionsAt::kToken}, {"tables", ProjectionsAt::kTables}, {"tile", ProjectionsAt::kTile}}};
  GeneratorParam<int> projection_vectors{"projection_vectors", 1};  // vectors of z that a loop iteration takes
  GeneratorParam<int> code_vectors{"code_vectors", 1};              // vectors of tables whose codes a loop iteration makes

  Input<Buffer<float>> x{"x", 2};            // [tokens, d_in], zero from d_in to a multiple of 64: i, n
  Input<Buffer<float>> gamma{"gamma", 1};    // [width], zero from d_in on; without LayerNorm not read
  Input<Buffer<float>> beta{"beta", 1};      // [width], likewise
  Input<Buffer<>> weight{"weight", 3};       // [stage and panel, in, out]: o, i, (repeat * 4 + stage) * panels + panel;
                                             // bf16, bf16x3: words of two inputs, see packed_types.h
  Input<Buffer<float>> offset{"offset", 1};  // [outputs]: the projection's bias, zero from tables * bits on
  Input<float> eps{"eps"};                   // of LayerNorm
  Input<float> skip{"skip"};                 // BH4: 1 - decay; decay itself is folded into the last stage
  Output<Func> code_and_score{"code_and_score", {UInt(16), Float(32)}, 2};  // both [tokens, tables]: t, n

  void configure() { weight.set_type(packed_weight_type_of(projection_type)); }

  void generate() {
    if (norm_of == Norm::kLayerNorm) {
      // h = LayerNorm(x; gamma, beta, eps)
      norm.reset(new LayerNorm(x, gamma, beta, int(d_in), eps));
      h = norm->h;
    } else {
      h = x;
    }

    // z = projection(h)
    if (projection == Projection::kDense) {
      generate_dense();
    } else {
      generate_bh4();
    }

    // code[t]  = sum_j (z[t, j] > 0) << (bits - 1 - j), or z[t, j] >= 0
    // score[t] = sum_j |z[t, j]| / prod_j (1 + exp(-2 |z[t, j]|))
    result.reset(new CodeAndScore(z, bits, zero, t, n));
    code_and_score(t, n) = Tuple(result->code, result->score);
  }

  void schedule();

 private:
  // z = W h + b, in panels of `block` outputs
  void generate_dense() {
    // g[panel, o] = sum_i W[panel, o, i] h[i]
    Func g = product("g", d_in, low, {n}, [this](const Expr& i) { return h(i, n); });
    z(k, n) = strict_float(g(k % int(block), k / int(block), 0, n, 0) + offset(k));
  }

  // z = decay * BH4(h) + (1 - decay) * h + b, four times a block-diagonal product and a Hadamard transform
  void generate_bh4() {
    const int b = block, lows = CrossBlockHadamard::low_digits(blocks());
    Expr m = low + lows * high;
    Func v;
    for (int stage = 0; stage < 4; ++stage) {
      const std::string name = "stage" + std::to_string(stage);
      const Expr panel = (repeat * 4 + stage) * blocks() + m;
      // g[m, o] = sum_i W[repeat, stage, m, o, i] v[m, i], v of the stage before; that of the first is h
      Func g = stage == 0 ? without_padding(product(name + "_product", b, panel, {low, high, n},
                                                    [&](const Expr& i) { return h(m * b + i, n); }))
                          : product(name + "_product", b, panel, {low, high, n, repeat},
                                    [&](const Expr& i) { return v(i, low, high, n, repeat); });
      // v = H_blocks g
      hadamards.emplace_back(g, blocks(), name);
      v = hadamards.back().v;
    }
    Expr within = k % p();
    m = within / b;
    z(k, n) = strict_float(v(within % b, m % lows, m / lows, n, k / p()) + skip * h(within, n) + offset(k));
  }

  // sum_i W[panel, o, i] in(i), in(i) depending on `in_depends_on`
  Func product(const std::string& name, int inputs, const Expr& panel, const std::vector<Var>& in_depends_on,
               const std::function<Expr(Expr)>& in) {
    const Panels of{name, inputs, block, projection_type, panel, in_depends_on, in, weight};
    if (!on_tiles(projection_type)) {
      products.emplace_back(new FloatProduct(of));
    } else if (one_token) {
      products.emplace_back(new SingleTokenTileProduct(of));
    } else {
      products.emplace_back(new TokenTileProduct(of));
    }
    return products.back()->result();
  }

  // g of the first stage, whose blocks of nothing but padding are zero and not computed.
  Func without_padding(Func product) {
    const int lows = CrossBlockHadamard::low_digits(blocks());
    const int filled = (int(d_in) + block - 1) / block, filled_high = (filled + lows - 1) / lows;
    if (filled == blocks()) return product;
    Func g("stage0_filled");
    g(o, low, high, n, repeat) = filled_high > 1
                                     ? select(high < filled_high, product(o, low, min(high, filled_high - 1), n, repeat), 0.0f)
                                     : select(low < filled && high == 0, product(o, min(low, filled - 1), 0, n, repeat), 0.0f);
    return g;
  }

  int p() const {  // BH4's width: the least power of two that holds d_in
    int width = 16;
    while (width < d_in) width *= 2;
    return width;
  }
  int blocks() const { return p() / block; }

  Var o{"o"}, low{"low"}, high{"high"}, t{"t"}, n{"n"}, k{"k"}, repeat{"repeat"};
  std::unique_ptr<LayerNorm> norm;                      // none: h is x
  Func h;                                               // [d_in]: i, n
  std::vector<std::unique_ptr<PanelProduct>> products;  // the dense projection's, or each stage's
  std::vector<CrossBlockHadamard> hadamards;            // of each stage
  Func z{"z"};                                          // [tables * bits] projections of a token: k, n
  std::unique_ptr<CodeAndScore> result;
};

void Hash::schedule() {
  const int tile = token_tile, b = block;
  const int lanes = (vector_bytes > 0 ? int(vector_bytes) : vector_lanes(get_target()) * 4) / 4;
  const int table_lanes = std::min<int>(lanes, tables);
  const bool dense = projection == Projection::kDense;
  functions()->insert(kernel_cpu(get_target()));
  functions()->insert(multiply_add_functions(get_target()));
  get_pipeline().add_custom_lowering_pass(new LoadAlignment);
  if (on_tiles(projection_type)) get_pipeline().add_custom_lowering_pass(new TileProducts(get_target(), functions()));

  // ---- what the caller promises
  x.dim(0).set_min(0);
  for (auto* buffer : {&gamma, &beta, &offset}) buffer->dim(0).set_min(0);
  x.dim(1).set_min(0);
  weight.dim(0).set_bounds(0, b);
  weight.dim(1).set_min(0).set_stride(b);
  weight.dim(2).set_min(0);
  Func outputs = code_and_score;
  // The second output has the first one's bounds.
  OutputImageParam first = outputs.output_buffers()[0];
  first.dim(0).set_bounds(0, int(tables));
  first.dim(1).set_bounds(0, tile);
  outputs.bound(t, 0, int(tables)).bound(n, 0, tile);

  // ---- a token's codes and scores, and its projections
  Var tv("tv"), ti("ti"), zo("zo"), zi("zi");
  if (table_lanes > 1) outputs.split(t, t, tv, table_lanes, TailStrategy::ShiftInwards).vectorize(tv);
  if (code_vectors > 1) outputs.split(t, t, ti, code_vectors, TailStrategy::ShiftInwards).unroll(ti);
  result->schedule(outputs, code_vectors > 1 ? ti : t, table_lanes);
  if (projections_at == ProjectionsAt::kTile) {
    z.compute_root();
  } else {
    z.compute_at(outputs, projections_at == ProjectionsAt::kTables ? t : n);
  }
  z.split(k, zo, zi, b, TailStrategy::RoundUp).vectorize(zi, std::min(lanes, b));
  if (projection_vectors > 1) z.unroll(zi, projection_vectors);
  keep_on_stack(z);

  // ---- h of all tokens
  const int width = dense ? (int(d_in) + 15) / 16 * 16 : p();
  if (norm) {
    h.compute_root().vectorize(norm->i, lanes, TailStrategy::RoundUp).align_storage(norm->i, width + 16);
    if (norm_vectors > 1) h.unroll(norm->i, norm_vectors, TailStrategy::RoundUp);
    keep_on_stack(h);
    const LoopLevel level = statistics_at == StatisticsAt::kTile ? LoopLevel::root() : LoopLevel(h, norm->n);
    norm->schedule_statistics(level, lanes, statistics_unroll);
    if (statistics_at == StatisticsAt::kTile) {
      for (const Func& sums : {norm->sum, norm->folded_sum, norm->square_sum, norm->folded_square_sum}) keep_on_stack(sums);
    }
  }

  // ---- products: registers hold a tile of one, the first two caches that of the whole tile of tokens
  for (auto& product : products) {
    product->schedule({lanes, token_registers, output_vectors, panels, reduction_unroll, tile, word_steps, product_order});
    if (prefetch_inputs == 0 || product->reduction().empty()) continue;
    functions()->insert(prefetch_function(get_target()));
    get_pipeline().add_custom_lowering_pass(new RowPrefetch(
        {"weight"}, product->reduction(), int(prefetch_inputs) / reduction_unroll, "", 1, RowPrefetch::AtTheEnd::kGoOn));
  }
  if (dense) {
    products[0]->in_memory().compute_root();
    if (Func inputs = products[0]->inputs_in_memory(); inputs.defined()) inputs.compute_root();
    return;
  }
  // A repeat's last stage is kept for z; the stages before it last until the next repeat.
  const bool crossed = blocks() > 1;
  Func kept = crossed ? hadamards[3].first_in_memory(butterflies) : products[3]->in_memory();
  for (int stage = 0; stage < 4; ++stage) {
    PanelProduct& product = *products[stage];
    CrossBlockHadamard& hadamard = hadamards[stage];
    const bool last = stage == 3;
    if (last && !crossed) {
      product.in_memory().compute_root();
    } else if (products_at == ProductsAt::kButterfly) {
      product.in_memory().compute_at(hadamard.first_in_memory(butterflies), hadamard.outputs_loop());
    } else {
      product.in_memory().compute_at(kept, repeat);
    }
    if (Func inputs = product.inputs_in_memory(); inputs.defined()) {
      if (stage == 0) {
        inputs.compute_root();
      } else {
        inputs.compute_at(kept, repeat);
      }
    }
    if (!crossed) continue;
    // On tiles v is only what a vector of words is made of, in all blocks.
    const bool only_words = on_tiles(projection_type) && !last;
    CrossBlockHadamard::Schedule by;
    by.lanes = lanes;
    by.whole_blocks = only_words;
    by.steps = butterflies;
    if (products_at == ProductsAt::kButterfly) {
      by.tile_vectors = std::max(1, std::min<int>(output_vectors, b / lanes));
      by.tile_tokens = token_registers;
    }
    if (last) {
      hadamard.schedule(by, LoopLevel::root());
    } else if (only_words) {
      hadamard.schedule(by, LoopLevel(products[stage + 1]->inputs_in_memory(), Var("ko")));
    } else {
      hadamard.schedule(by, LoopLevel(kept, repeat));
    }
  }
}

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::Hash, hash)
