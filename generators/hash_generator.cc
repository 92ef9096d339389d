// x -> code, score: LayerNorm, projection, code and score of one tile of tokens.
#include <vector>

#include "Halide.h"
#include "code_and_score.h"
#include "layer_norm.h"
#include "packed_types.h"
#include "projection.h"

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

  Input<Buffer<float>> x{"x", 2};            // [token_tile, d_in]: i, n
  Input<Buffer<float>> gamma{"gamma", 1};    // [width], zero from d_in on
  Input<Buffer<float>> beta{"beta", 1};      // [width], likewise
  Input<Buffer<>> weight{"weight", 3};       // [stage and panel, in, out]: o, i, (repeat * 4 + stage) * panels + panel
  Input<Buffer<float>> offset{"offset", 1};  // [outputs]: the projection's bias, zero from tables * bits on
  Input<float> eps{"eps"};                   // of LayerNorm
  Input<float> skip{"skip"};                 // BH4: 1 - decay; decay itself is folded into the last stage
  Output<Func> code_and_score{"code_and_score", {UInt(16), Float(32)}, 2};  // both [token_tile, tables]: t, n

  void configure() { weight.set_type(packed_type_of(projection_type)); }

  void generate() {
    norm.reset(new LayerNorm(x, gamma, beta, int(d_in), eps));

    // z: [tables * bits] projections of a token
    if (projection == Projection::kDense) {
      generate_dense();
    } else {
      generate_bh4();
    }

    std::vector<Expr> z_of_table;
    for (int j = 0; j < bits; ++j) z_of_table.push_back(z(t * int(bits) + j, n));
    CodeAndScore result(z_of_table);
    code_and_score(t, n) = Tuple(result.code, result.score);
  }

  void schedule();

 private:
  Var i{"i"}, o{"o"}, low{"low"}, high{"high"}, t{"t"}, n{"n"}, k{"k"};
  std::unique_ptr<LayerNorm> norm;
  std::vector<Func> products;                      // every stage of every repeat: o, low, high, n
  std::vector<RDom> reductions;
  std::vector<CrossBlockHadamard> hadamards;
  Func z{"z"};

  int width() const {  // p
    int p = 16;
    while (p < d_in) p *= 2;
    return p;
  }
  int blocks() const { return width() / block; }

  // z = W h + b
  void generate_dense() {
    Func g("g");
    RDom r(0, int(d_in), "r");
    g(o, low, high, n) = 0.0f;
    g(o, low, high, n) += unpacked(weight(o, r, low), projection_type) * norm->h(r, n);
    z(k, n) = g(k % int(block), k / int(block), 0, n) + offset(k);
    products.push_back(g);
    reductions.push_back(r);
  }

  // z = decay * BH4(h) + (1 - decay) * h + b
  void generate_bh4() {
    const int b = block, lows = CrossBlockHadamard::low_digits(blocks()), p = width();
    std::vector<Func> v;  // of each repeat
    for (int repeat = 0; repeat < repeats; ++repeat) {
      Func in = norm->h;
      for (int stage = 0; stage < 4; ++stage) {
        const std::string name = "r" + std::to_string(repeat) + "s" + std::to_string(stage);
        // g[o, m] = sum_i W[stage, m, o, i] in[m * block + i]
        Func g(name + "_product");
        RDom r(0, b, name + "_r");
        Expr m = low + lows * high;
        Expr input = stage == 0 ? norm->h(m * b + r, n) : in(r, low, high, n);
        Expr term = unpacked(weight(o, r, (repeat * 4 + stage) * blocks() + m), projection_type) * input;
        g(o, low, high, n) = 0.0f;
        g(o, low, high, n) += term;
        // v = H_blocks g
        CrossBlockHadamard hadamard(g, blocks(), name);
        products.push_back(g);
        reductions.push_back(r);
        hadamards.push_back(hadamard);
        in = hadamard.butterflies.empty() ? g : hadamard.butterflies.back();
      }
      v.push_back(in);
    }
    Expr within = k % p, m = within / b;
    Expr value = v[0](within % b, m % lows, m / lows, n);
    for (int repeat = 1; repeat < repeats; ++repeat) {
      value = select(k / p == repeat, v[repeat](within % b, m % lows, m / lows, n), value);
    }
    z(k, n) = value + skip * norm->h(within, n) + offset(k);
  }
};

void Hash::schedule() {
  const int lanes = (vector_bytes > 0 ? int(vector_bytes) : get_target().natural_vector_size<float>() * 4) / 4;
  const int tile = token_tile, registers = token_registers, b = block;
  const int vectors = std::max(1, std::min(int(output_vectors), b / lanes));
  x.dim(0).set_min(0).set_extent(int(d_in));
  for (auto* buffer : {&gamma, &beta, &offset}) buffer->dim(0).set_min(0);
  x.dim(1).set_min(0);
  weight.dim(0).set_bounds(0, b);
  weight.dim(1).set_min(0).set_stride(b);
  weight.dim(2).set_min(0);
  Func result = code_and_score;
  // The second output has the first one's bounds.
  OutputImageParam first = result.output_buffers()[0];
  first.dim(0).set_bounds(0, int(tables));
  first.dim(1).set_bounds(0, tile);
  result.bound(t, 0, int(tables)).bound(n, 0, tile);
  result.vectorize(t, std::min<int>(lanes, tables), TailStrategy::ShiftInwards);

  auto stack = [](Func f) { f.store_in(MemoryType::Stack); };
  Var zo("zo"), zi("zi");
  z.compute_at(result, n).split(k, zo, zi, b, TailStrategy::RoundUp).vectorize(zi, std::min(lanes, b));
  stack(z);
  norm->h.compute_root().vectorize(i, lanes).align_storage(i, width() + 16);
  stack(norm->h);
  norm->schedule_statistics(norm->h, norm->n, lanes);

  for (size_t s = 0; s < products.size(); ++s) {
    Func g = products[s];
    Var ov("ov"), oo("oo"), nn("nn"), nr("nr"), ln("ln");
    // The whole tile of a stage stays in the first two caches; registers hold a tile of it.
    Func out = g.in();
    out.compute_root().reorder_storage(o, n, low, high);
    stack(out);
    out.split(o, oo, o, lanes * vectors).split(o, o, ov, lanes).vectorize(ov).unroll(o)
       .split(n, nn, nr, registers).unroll(nr)
       .split(low, low, ln, int(panels)).unroll(ln)
       .reorder(ov, o, nr, ln, nn, oo, low, high);
    g.compute_at(out, nn).vectorize(o, lanes).unroll(o).unroll(n).unroll(low);
    g.update().reorder(o, n, low, reductions[s]).vectorize(o, lanes).unroll(o).unroll(n).unroll(low);
    if (reduction_unroll > 1) g.update().unroll(reductions[s], int(reduction_unroll));
  }
  for (auto& hadamard : hadamards) {
    for (size_t q = 0; q < hadamard.butterflies.size(); ++q) {
      Func u = hadamard.butterflies[q];
      Var ov("ov"), oo("oo");
      Func last = hadamard.butterflies.back();
      if (q + 1 == hadamard.butterflies.size()) {
        u.compute_root().reorder_storage(o, n, low, high);
        stack(u);
        u.split(o, oo, ov, lanes).vectorize(ov).unroll(low);
        if (hadamard.across_high[q]) u.unroll(high).reorder(ov, high, low, oo, n); else u.reorder(ov, low, high, oo, n);
      } else {
        u.compute_at(last, oo).vectorize(o, lanes).unroll(low);
        if (hadamard.across_high[q]) u.unroll(high);
      }
    }
  }
}

}  // namespace
}  // namespace lookupffn

HALIDE_REGISTER_GENERATOR(lookupffn::Hash, hash)
