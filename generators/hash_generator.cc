// x -> code, score: LayerNorm, projection, code and score of one tile of tokens.
#include <vector>

#include "Halide.h"
#include "bf16_parts.h"
#include "code_and_score.h"
#include "layer_norm.h"
#include "packed_types.h"
#include "projection.h"
#include "sum_in_order.h"
#include "tile_products.h"

namespace lookupffn {
namespace {

using namespace Halide;

enum class Projection { kDense, kBh4 };

class Hash : public Generator<Hash> {
 public:
  // ---- the problem ----
  GeneratorParam<int> d_in{"d_in", 512};
  GeneratorParam<int> tables{"tables", 64};   // of this call: a BH4 layer may be hashed one repeat at a time
  GeneratorParam<int> bits{"bits", 8};
  GeneratorParam<Projection> projection{"projection", Projection::kBh4, {{"dense", Projection::kDense}, {"bh4", Projection::kBh4}}};
  GeneratorParam<int> block{"block", 64};     // packed block (BH4) or panel (dense): outputs of one small product
  GeneratorParam<int> repeats{"repeats", 1};  // BH4: repeats of this call
  GeneratorParam<PackedType> projection_type{"projection_type", PackedType::kF32, packed_type_names()};

  // ---- the schedule ----
  GeneratorParam<int> token_tile{"token_tile", 24};         // tokens of a call
  GeneratorParam<int> token_registers{"token_registers", 6};  // tokens of a register tile
  GeneratorParam<int> output_vectors{"output_vectors", 4};  // vectors of outputs of a register tile
  GeneratorParam<int> panels{"panels", 1};                  // panels of a register tile
  GeneratorParam<int> vector_bytes{"vector_bytes", 0};      // 0: the target's
  GeneratorParam<int> reduction_unroll{"reduction_unroll", 1};

  Input<Buffer<float>> x{"x", 2};            // [token_tile, d_in], zero from d_in to a multiple of 64: i, n
  Input<Buffer<float>> gamma{"gamma", 1};    // [width], zero from d_in on
  Input<Buffer<float>> beta{"beta", 1};      // [width], likewise
  Input<Buffer<>> weight{"weight", 3};       // [stage and panel, in, out]: o, i, (repeat * 4 + stage) * panels + panel;
                                             // bf16, bf16x3: words of two inputs, see packed_types.h
  Input<Buffer<float>> offset{"offset", 1};  // [outputs]: the projection's bias, zero from tables * bits on
  Input<float> eps{"eps"};                   // of LayerNorm
  Input<float> skip{"skip"};                 // BH4: 1 - decay; decay itself is folded into the last stage
  Output<Func> code_and_score{"code_and_score", {UInt(16), Float(32)}, 2};  // both [token_tile, tables]: t, n

  void configure() { weight.set_type(packed_weight_type_of(projection_type)); }

  void generate() {
    norm.reset(new LayerNorm(x, gamma, beta, int(d_in), eps));

    // z: [tables * bits] projections of a token
    if (projection == Projection::kDense) {
      generate_dense();
    } else {
      generate_bh4();
    }

    result.reset(new CodeAndScore(z, bits, t, n, tables, table_lanes(), get_target().natural_vector_size<float>()));
    code_and_score(t, n) = Tuple(result->code, result->score);
  }

  void schedule();

 private:
  Var i{"i"}, o{"o"}, low{"low"}, high{"high"}, t{"t"}, n{"n"}, k{"k"}, repeat{"repeat"};
  Var part{"part"}, group{"group"};
  std::unique_ptr<LayerNorm> norm;
  std::unique_ptr<CodeAndScore> result;
  struct Product {
    Func words;   // of the inputs' parts, where the ISA multiplies matrices: k, part, then as the inputs
    Func sum;     // over reduction: o, low, high, n, repeat; of a single token on tiles: o, part, group, low, ...
    Func result;  // o, low, high, n, repeat; where it is not the sum itself it adds sums
    RDom reduction;

    // The result in memory.
    Func out() { return result.name() == sum.name() ? sum.in() : result; }
  };
  std::vector<Product> products;  // the dense projection's, or each stage's
  std::vector<CrossBlockHadamard> hadamards;  // of each stage
  Func z{"z"};

  int lanes() const { return (vector_bytes > 0 ? int(vector_bytes) : get_target().natural_vector_size<float>() * 4) / 4; }
  int table_lanes() const { return std::min<int>(lanes(), tables); }

  int p() const {  // BH4's width: the least power of two that holds d_in
    int width = 16;
    while (width < d_in) width *= 2;
    return width;
  }
  int blocks() const { return p() / block; }

  // Slots of three rows that one tile has, for so many tiles of weights.
  static int most_slots(int weight_tiles) {
    int slots = kTileRows / kBf16Parts;
    while (weight_tiles % slots != 0) --slots;
    return slots;
  }

  // What sums start from: 0, as no model's eps is negative, but LLVM does not know it. See sum_in_order.
  Expr zero() const { return min(eps, 0.0f); }

  Expr add(const Expr& sum, const Expr& term, int terms) const {
    // A layer of one bit in all has no vector of outputs: LLVM would make one of the sum's terms, in some kernels.
    return int(tables) * int(bits) == 1 ? strict_float(sum + term) : sum_in_order(sum, term, get_target(), terms);
  }

  // sum_i W[panel, o, i] input(i), over `inputs` inputs. of_words: what the inputs' words depend on, where the ISA
  // multiplies matrices.
  template <class Value>
  Func product(const std::string& name, int inputs, const Expr& panel, const Value& input, const std::vector<Var>& of_words) {
    products.push_back(lookupffn::on_tiles(projection_type) ? product_of_parts(name, inputs, panel, input, of_words)
                                  : product_of_floats(name, inputs, panel, input));
    return products.back().result;
  }

  template <class Value>
  Product product_of_floats(const std::string& name, int inputs, const Expr& panel, const Value& input) {
    Func sum(name);
    RDom r(0, packed_inputs(inputs, projection_type), name + "_i");
    sum(o, low, high, n, repeat) = zero();
    sum(o, low, high, n, repeat) =
        add(sum(o, low, high, n, repeat),
            unpacked_weight(weight, o, r, panel, inputs, projection_type) * input(packed_input(r, inputs, projection_type)), inputs);
    return {Func(), sum, sum, r};
  }

  // An input is the sum of its parts, and so may a weight be. Products of parts are added up a tile's 32 inputs after
  // the other. Of products as small as the last bit of a float none is made.
  template <class Value>
  Product product_of_parts(const std::string& name, int inputs, const Expr& panel, const Value& input,
                           const std::vector<Var>& of_words) {
    struct Term {
      int of_input, of_weight;
    };
    const std::vector<Term> terms = weight_parts(projection_type) == 1
                                        ? std::vector<Term>{{2, 0}, {1, 0}, {0, 0}}
                                        : std::vector<Term>{{2, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 2}, {0, 0}};
    const int steps = inputs / (2 * kTileWords), parts = weight_parts(projection_type);
    const bool one = token_tile == 1;
    // One token's parts are the rows of a tile, in as many slots as fit: a slot for every tile of weights that is added to
    // the sum's tile. A slot's tile of words has zeros in the other slots' rows: it is a window on a band of zeros with
    // the parts in the middle.
    const int slots = one ? most_slots(steps * parts) : 1, band = kBf16Parts * (slots - 1);
    Func words(name + "_words");
    Expr first = input(k / 16 * 32 + k % 16), second = input(k / 16 * 32 + k % 16 + 16);  // see packed_types.h
    Expr word_of_part = cast<uint32_t>(0);
    for (int p = 0; p < kBf16Parts; ++p) word_of_part = select(part == band + p, bf16_part_word(first, second, p), word_of_part);
    words(of_words) = word_of_part;
    const auto word = [&](const Expr& of, const Expr& row) {
      std::vector<Expr> arguments(of_words.begin(), of_words.end());
      arguments[0] = of;
      arguments[1] = row;
      return words(arguments);
    };
    Func sum(name);
    if (!one) {
      std::vector<Expr> of_input, of_weight;
      for (const Term& term : terms) {
        of_input.push_back(term.of_input);
        of_weight.push_back(term.of_weight);
      }
      RDom r(0, kTileWords, 0, int(terms.size()), 0, steps, name + "_i");
      sum(o, low, high, n, repeat) = 0.0f;
      sum(o, low, high, n, repeat) =
          bf16_dot(sum(o, low, high, n, repeat), word(r.z * kTileWords + r.x, mux(r.y, of_input)),
                   weight(o, (r.z * parts + mux(r.y, of_weight)) * kTileWords + r.x, panel));
      return {words, sum, sum, r};
    }
    RDom r(0, kTileWords, 0, slots, name + "_i");
    Expr tile = group * slots + r.y;
    sum(o, part, group, low, high, n, repeat) = 0.0f;
    sum(o, part, group, low, high, n, repeat) =
        bf16_dot(sum(o, part, group, low, high, n, repeat), word(tile / parts * kTileWords + r.x, part + band - kBf16Parts * r.y),
                 weight(o, tile * kTileWords + r.x, panel));
    // Added up as the tile of many tokens would have.
    Expr total;
    for (int s = 0; s < steps; ++s) {
      for (const Term& term : terms) {
        const int t = s * parts + term.of_weight;
        Expr added = sum(o, t % slots * kBf16Parts + term.of_input, t / slots, low, high, n, repeat);
        total = total.defined() ? strict_float(total + added) : added;
      }
    }
    Func added(name + "_added");
    added(o, low, high, n, repeat) = total;
    return {words, sum, added, r};
  }

  // z = W h + b, in panels of `block` outputs
  void generate_dense() {
    const auto input = [this](const Expr& in) { return norm->h(in, n); };
    Func g = product("g", d_in, low, input, {k, part, n});
    z(k, n) = strict_float(g(k % int(block), k / int(block), 0, n, 0) + offset(k));
  }

  // z = decay * BH4(h) + (1 - decay) * h + b, four times a block-diagonal product and a Hadamard transform
  void generate_bh4() {
    const int b = block, lows = CrossBlockHadamard::low_digits(blocks());
    Expr m = low + lows * high;
    Func v;
    for (int stage = 0; stage < 4; ++stage) {
      const std::string name = "stage" + std::to_string(stage);
      // g[m, o] = sum_i W[repeat, stage, m, o, i] v[m, i], v of the stage before; h is that of the first.
      const bool is_first = stage == 0;
      const auto input = [&](const Expr& in) { return is_first ? norm->h(m * b + in, n) : v(in, low, high, n, repeat); };
      std::vector<Var> of_words = {k, part, low, high, n};
      if (!is_first) of_words.push_back(repeat);
      Func sum = product(name + "_product", b, (repeat * 4 + stage) * blocks() + m, input, of_words);
      // v = H_blocks g
      Func g = is_first ? without_padding(sum) : sum;
      hadamards.emplace_back(g, blocks(), name);
      v = hadamards.back().butterflies.empty() ? g : hadamards.back().butterflies.back();
    }
    Expr within = k % p();
    m = within / b;
    z(k, n) = strict_float(v(within % b, m % lows, m / lows, n, k / p()) + skip * norm->h(within, n) + offset(k));
  }

  Func last_of(int stage) {
    return hadamards[stage].butterflies.empty() ? products[stage].out() : hadamards[stage].butterflies.back();
  }

  // A register tile of a product: tokens x panels x vectors of outputs.
  void schedule_registers(Product& product) {
    const int lanes = this->lanes(), vectors = std::max(1, std::min(int(output_vectors), int(block) / lanes));
    Func g = product.sum, out = product.out();
    Var ov("ov"), oo("oo"), nn("nn"), nr("nr"), mr("mr");
    out.split(o, oo, o, lanes * vectors).split(o, o, ov, lanes).vectorize(ov).unroll(o)
        .split(n, nn, nr, int(token_registers)).unroll(nr)
        .split(low, low, mr, int(panels), TailStrategy::GuardWithIf).unroll(mr)
        .reorder(ov, o, nr, mr, nn, oo, low, high, repeat);
    g.compute_at(out, nn).vectorize(o, lanes).unroll(o).unroll(n).unroll(low);
    g.update().reorder(o, n, low, product.reduction).vectorize(o, lanes).unroll(o).unroll(n).unroll(low);
    if (reduction_unroll > 1) g.update().unroll(product.reduction, int(reduction_unroll));
  }

  // The same in tile registers: tiles of up to 16 tokens x tiles of outputs. One token: its parts x tiles of outputs.
  template <class Stack>
  void schedule_tiles(Product& product, Stack stack) {
    const int columns = kTileColumns, rows = std::min<int>(token_registers, kTileRows);
    const int vectors = std::max(1, std::min(int(output_vectors), int(block) / columns));
    const bool one = token_tile == 1;
    Var column(TileProducts::kColumn), row(TileProducts::kRow), oo("oo"), nn("nn"), nr("nr"), ko("ko"), kv("kv");
    RVar word(TileProducts::kWord);
    Func g = product.sum, copied = g.in();
    if (one) {
      product.result.split(o, oo, o, columns * vectors).vectorize(o, columns).unroll(o);
      copied.compute_at(product.result, oo);
      stack(copied);
      copied.split(o, o, column, columns).unroll(o).rename(part, row).reorder(column, row, o, group);
      g.compute_at(copied, group);
      const RDom& r = product.reduction;
      g.update().split(o, o, column, columns).rename(part, row).rename(r.x, word)
          .reorder(column, row, word, o, r.y).unroll(o).unroll(r.y);
    } else {
      copied.split(o, oo, o, columns * vectors).split(o, o, column, columns).unroll(o)
          .split(n, nn, nr, int(token_registers)).split(nr, nr, row, rows).unroll(nr)
          .reorder(column, row, o, nr, nn, oo, low, high, repeat);
      g.compute_at(copied, nn);
      const RDom& r = product.reduction;
      g.update().split(o, o, column, columns).split(n, n, row, rows).rename(r.x, word)
          .reorder(column, row, word, o, n, r.y, r.z).unroll(o).unroll(n).unroll(r.y);
      if (reduction_unroll > 1) g.update().unroll(r.z, int(reduction_unroll));
    }
    Func words = product.words;
    words.split(k, ko, kv, kTileWords).vectorize(kv).unroll(part);
    if (words.dimensions() > 3) {
      // The rows of a block's tiles follow each other. Planes of the same place in another block must not fall into
      // the same set of the first cache.
      words.unroll(low).reorder(kv, part, low, high, ko, n).reorder_storage(k, n, part, low, high).align_storage(n, token_tile + 1);
    } else {
      words.reorder(kv, part, ko, n).reorder_storage(k, part, n).align_storage(k, int(d_in) / 2 + kTileWords);
    }
    stack(words);
  }

  // All butterflies of a vector of outputs in registers, from the product to v.
  template <class Stack>
  void schedule_hadamard(CrossBlockHadamard& hadamard, bool in_registers, int lanes, Stack stack) {
    Func v = hadamard.butterflies.back();
    Var ov("ov"), oo("oo");
    stack(v.reorder_storage(o, n, low, high, repeat));
    v.split(o, oo, ov, lanes).vectorize(ov).unroll(low);
    const bool two_digits = hadamard.across_high.back();
    if (two_digits) {
      v.unroll(high).reorder(ov, high, low, oo, n, repeat);
    } else {
      v.reorder(ov, low, high, oo, n, repeat);
    }
    if (in_registers) v.unroll(oo);
    for (size_t q = 0; q + 1 < hadamard.butterflies.size(); ++q) {
      Func u = hadamard.butterflies[q];
      // With two digits the low one's butterflies are made for every high digit first.
      u.compute_at(v, oo).vectorize(o, lanes).unroll(low);
      if (hadamard.across_high[q]) u.unroll(high);
    }
  }

  // The first stage's blocks of nothing but padding are zero and not computed.
  Func without_padding(Func product) {
    const int lows = CrossBlockHadamard::low_digits(blocks());
    const int filled = (int(d_in) + block - 1) / block;
    if (filled == blocks()) return product;
    Func g("stage0_filled");
    const int filled_high = (filled + lows - 1) / lows;
    g(o, low, high, n, repeat) =
        filled_high > 1 ? select(high < filled_high, product(o, low, min(high, filled_high - 1), n, repeat), 0.0f)
                        : select(low < filled && high == 0, product(o, min(low, filled - 1), 0, n, repeat), 0.0f);
    return g;
  }
};

void Hash::schedule() {
  const int lanes = this->lanes();
  const int tile = token_tile, b = block;
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
  const int table_lanes = this->table_lanes();
  Var tv("tv");
  if (table_lanes > 1) outputs.split(t, t, tv, table_lanes, TailStrategy::ShiftInwards).vectorize(tv);
  result->schedule(outputs, t, table_lanes);

  // Halide takes what it is told to keep on the stack from the heap beyond 16 KB; what it is told to keep in
  // registers, and has a constant size, always goes on the stack. So nothing allocates in a kernel.
  auto stack = [](Func f) { f.store_in(MemoryType::Register); };
  Var zo("zo"), zi("zi");
  z.compute_at(outputs, n).split(k, zo, zi, b, TailStrategy::RoundUp).vectorize(zi, std::min(lanes, b));
  stack(z);
  norm->h.compute_root().vectorize(i, lanes, TailStrategy::RoundUp).align_storage(i, (hadamards.empty() ? (int(d_in) + 15) / 16 * 16 : p()) + 16);
  stack(norm->h);
  norm->schedule_statistics(norm->h, norm->n, lanes);

  if (lookupffn::on_tiles(projection_type)) {
    get_pipeline().add_custom_lowering_pass(new TileProducts(get_target(), get_externs_map()));
  }

  // A repeat's last stage is kept for z; the stages before it last until the next repeat.
  Func kept = hadamards.empty() ? Func() : last_of(3);
  for (size_t s = 0; s < products.size(); ++s) {
    const bool is_dense = hadamards.empty();
    const bool plain = is_dense || hadamards[s].butterflies.empty();
    // Registers hold a tile of a product, the first two caches the product of the whole tile of tokens.
    Func out = products[s].out();
    if (is_dense || (plain && s == 3)) {
      out.compute_root();
    } else {
      out.compute_at(kept, repeat);
    }
    stack(out.reorder_storage(o, n, low, high, repeat));
    if (lookupffn::on_tiles(projection_type)) {
      schedule_tiles(products[s], stack);
      if (s > 0) {
        products[s].words.compute_at(kept, repeat);
      } else {
        products[s].words.compute_root();
      }
    } else {
      schedule_registers(products[s]);
    }
    if (plain) continue;
    Func v = hadamards[s].butterflies.back();
    bool in_registers = false;
    if (s == 3) {
      v.compute_root();
    } else if (lookupffn::on_tiles(projection_type)) {
      // What a vector of words is made of, in all blocks.
      v.compute_at(products[s + 1].words, Var("ko"));
      in_registers = true;
    } else {
      v.compute_at(kept, repeat);
    }
    schedule_hadamard(hadamards[s], in_registers, lanes, stack);
  }
}

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::Hash, hash)
