// x -> code, score: LayerNorm, projection, code and score of one tile of tokens.
#include <vector>

#include "Halide.h"
#include "code_and_score.h"
#include "layer_norm.h"
#include "packed_types.h"
#include "projection.h"
#include "sum_in_order.h"

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
                                             // bf16: words of two inputs, see unpacked_weight
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
  std::unique_ptr<LayerNorm> norm;
  std::unique_ptr<CodeAndScore> result;
  std::vector<Func> products;  // g of the dense projection, or of each stage: o, low, high, n, repeat
  std::vector<RDom> reductions;
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

  // What sums start from: 0, as no model's eps is negative, but LLVM does not know it. See sum_in_order.
  Expr zero() const { return min(eps, 0.0f); }

  Expr add(const Expr& sum, const Expr& term, int terms) const {
    // A layer of one bit in all has no vector of outputs: LLVM would make one of the sum's terms, in some kernels.
    return int(tables) * int(bits) == 1 ? strict_float(sum + term) : sum_in_order(sum, term, get_target(), terms);
  }

  // z = W h + b, in panels of `block` outputs
  void generate_dense() {
    Func g("g");
    RDom r(0, packed_inputs(int(d_in), projection_type), "r");
    g(o, low, high, n, repeat) = zero();
    g(o, low, high, n, repeat) =
        add(g(o, low, high, n, repeat), unpacked_weight(weight, o, r, low, projection_type) * norm->h(r, n), d_in);
    z(k, n) = strict_float(g(k % int(block), k / int(block), 0, n, 0) + offset(k));
    products.push_back(g);
    reductions.push_back(r);
  }

  // z = decay * BH4(h) + (1 - decay) * h + b, four times a block-diagonal product and a Hadamard transform
  void generate_bh4() {
    const int b = block, lows = CrossBlockHadamard::low_digits(blocks());
    Expr m = low + lows * high;
    Func v;
    for (int stage = 0; stage < 4; ++stage) {
      const std::string name = "stage" + std::to_string(stage);
      // g[m, o] = sum_i W[repeat, stage, m, o, i] v[m, i], v of the stage before; h is that of the first.
      Func product(name + "_product");
      RDom r(0, b, name + "_i");
      Expr input = stage == 0 ? norm->h(m * b + r, n) : v(r, low, high, n, repeat);
      product(o, low, high, n, repeat) = zero();
      product(o, low, high, n, repeat) =
          add(product(o, low, high, n, repeat),
              unpacked_weight(weight, o, r, (repeat * 4 + stage) * blocks() + m, projection_type) * input, b);
      products.push_back(product);
      reductions.push_back(r);
      // v = H_blocks g
      Func g = stage == 0 ? without_padding(product) : product;
      hadamards.emplace_back(g, blocks(), name);
      v = hadamards.back().butterflies.empty() ? g : hadamards.back().butterflies.back();
    }
    Expr within = k % p();
    m = within / b;
    z(k, n) = strict_float(v(within % b, m % lows, m / lows, n, k / p()) + skip * norm->h(within, n) + offset(k));
  }

  Func last_of(int stage) {
    return hadamards[stage].butterflies.empty() ? products[stage].in() : hadamards[stage].butterflies.back();
  }

  // All butterflies of a vector of outputs in registers, from the product to v.
  template <class Stack>
  void schedule_hadamard(CrossBlockHadamard& hadamard, Func kept, bool is_kept, int lanes, Stack stack) {
    Func v = hadamard.butterflies.back();
    Var ov("ov"), oo("oo");
    if (is_kept) {
      v.compute_root();
    } else {
      v.compute_at(kept, repeat);
    }
    stack(v.reorder_storage(o, n, low, high, repeat));
    v.split(o, oo, ov, lanes).vectorize(ov).unroll(low);
    const bool two_digits = hadamard.across_high.back();
    if (two_digits) {
      v.unroll(high).reorder(ov, high, low, oo, n, repeat);
    } else {
      v.reorder(ov, low, high, oo, n, repeat);
    }
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
  const int tile = token_tile, registers = token_registers, b = block;
  const int vectors = std::max(1, std::min(int(output_vectors), b / lanes));
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

  // A repeat's last stage is kept for z; the stages before it last until the next repeat.
  Func kept = hadamards.empty() ? Func() : last_of(3);
  for (size_t s = 0; s < products.size(); ++s) {
    const bool is_dense = hadamards.empty();
    const bool plain = is_dense || hadamards[s].butterflies.empty();
    Func g = products[s];
    Var ov("ov"), oo("oo"), nn("nn"), nr("nr"), mr("mr");
    // Registers hold a tile of a product, the first two caches the product of the whole tile of tokens.
    Func out = g.in();
    if (is_dense || (plain && s == 3)) {
      out.compute_root();
    } else {
      out.compute_at(kept, repeat);
    }
    stack(out.reorder_storage(o, n, low, high, repeat));
    out.split(o, oo, o, lanes * vectors).split(o, o, ov, lanes).vectorize(ov).unroll(o)
        .split(n, nn, nr, registers).unroll(nr)
        .split(low, low, mr, int(panels), TailStrategy::GuardWithIf).unroll(mr)
        .reorder(ov, o, nr, mr, nn, oo, low, high, repeat);
    g.compute_at(out, nn).vectorize(o, lanes).unroll(o).unroll(n).unroll(low);
    g.update().reorder(o, n, low, reductions[s]).vectorize(o, lanes).unroll(o).unroll(n).unroll(low);
    if (reduction_unroll > 1) g.update().unroll(reductions[s], int(reduction_unroll));
    if (!plain) schedule_hadamard(hadamards[s], kept, s == 3, lanes, stack);
  }
}

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::Hash, hash)
