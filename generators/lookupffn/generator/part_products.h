// Panels multiplied on tile registers, as sums of products of bf16 parts.
//
// An input is the sum of three parts, and so may a weight be (bf16_parts.h, packed_types.h). The product is a sum of
// products of parts, a tile's 32 inputs after the other, in the order of part_terms():
//
//   product[panel, o] = sum_step sum_term sum_i W_part[panel, o, i] in_part[i],    i in step
//
// Many tokens and a single one fill tiles in different ways and give the same bits.
#ifndef LOOKUPFFN_PART_PRODUCTS_H
#define LOOKUPFFN_PART_PRODUCTS_H

#include <algorithm>
#include <string>
#include <vector>

#include "Halide.h"
#include "bf16_parts.h"
#include "panel_product.h"
#include "stack_storage.h"
#include "tile_products.h"

namespace lookupffn {

// A product of an input's part and a weight's.
struct PartTerm {
  int of_input, of_weight;
};

// The terms, the smallest ones first. Of products as small as the last bit of a float none is made.
inline std::vector<PartTerm> part_terms(PackedType type) {
  if (weight_parts(type) == 1) return {{2, 0}, {1, 0}, {0, 0}};
  return {{2, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 2}, {0, 0}};
}

// The parts of a panel's inputs, in words of two inputs as weights have them.
class PartWords {
 public:
  // `padding` planes of zeros come before those of the parts, and as many after them.
  PartWords(const Panels& of, int padding)
      : inputs_(of.inputs), per_panel_(of.in_depends_on.size() > 1), words(of.name + "_words") {
    using namespace Halide;
    // words[k, padding + part] = the parts of two inputs, which are 16 apart
    Expr first = of.in(k / kTileWords * 32 + k % kTileWords), second = of.in(k / kTileWords * 32 + k % kTileWords + 16);
    Expr word = cast<uint32_t>(0);
    for (int p = 0; p < kBf16Parts; ++p) word = select(plane == padding + p, bf16_part_word(first, second, p), word);
    arguments_ = {k, plane};
    arguments_.insert(arguments_.end(), of.in_depends_on.begin(), of.in_depends_on.end());
    words(arguments_) = word;
  }

  Halide::Expr operator()(const Halide::Expr& k, const Halide::Expr& plane) const {
    std::vector<Halide::Expr> arguments(arguments_.begin(), arguments_.end());
    arguments[0] = k;
    arguments[1] = plane;
    return words(arguments);
  }

  Halide::Func func() const { return words; }

  void schedule(int tokens, int steps) {
    using namespace Halide;
    Var ko("ko"), kv("kv"), low("low"), high("high"), n("n");
    words.split(k, ko, kv, kTileWords).vectorize(kv).unroll(plane);
    if (per_panel_) {
      // The rows of a block's tiles follow each other. Planes of the same place in another block must not fall into
      // the same set of the first cache.
      words.unroll(low).reorder(kv, plane, low, high, ko, n);
      words.reorder_storage(k, n, plane, low, high).align_storage(n, tokens + 1);
    } else {
      words.reorder(kv, plane, ko, n).reorder_storage(k, plane, n).align_storage(k, inputs_ / 2 + kTileWords);
    }
    if (steps > 1) words.unroll(ko, steps);
    keep_on_stack(words);
  }

 private:
  const int inputs_;
  const bool per_panel_;
  Halide::Func words;  // k, plane, then what the inputs depend on
  Halide::Var k{"k"}, plane{"plane"};
  std::vector<Halide::Var> arguments_;
};

// Many tokens: a tile of words has up to 16 tokens' of one part.
class TokenTileProduct : public PanelProduct {
 public:
  explicit TokenTileProduct(const Panels& of) : outputs_(of.outputs), words(of, 0), sum(of.name) {
    using namespace Halide;
    const std::vector<PartTerm> terms = part_terms(of.type);
    std::vector<Expr> of_input, of_weight;
    for (const PartTerm& term : terms) {
      of_input.push_back(term.of_input);
      of_weight.push_back(term.of_weight);
    }
    const int steps = of.inputs / (2 * kTileWords), parts = weight_parts(of.type);
    r = RDom(0, kTileWords, 0, int(terms.size()), 0, steps, of.name + "_i");
    RVar word = r.x, term = r.y, step = r.z;
    // sum[panel, o] = sum_step sum_term sum_word W_part[panel, o, word] words_part[word]
    sum(o, low, high, n, repeat) = 0.0f;
    sum(o, low, high, n, repeat) = bf16_dot(sum(o, low, high, n, repeat), words(step * kTileWords + word, mux(term, of_input)),
                                            of.weight(o, (step * parts + mux(term, of_weight)) * kTileWords + word, of.panel));
  }

  Halide::Func result() override { return sum; }
  Halide::Func in_memory() override { return sum.in(); }
  Halide::Func inputs_in_memory() override { return words.func(); }

  // In registers: tiles of tokens x tiles of outputs.
  void schedule(const ProductSchedule& by) override {
    using namespace Halide;
    const int rows = std::min(by.token_registers, kTileRows);
    const int columns = kTileColumns, vectors = std::max(1, std::min(by.output_vectors, outputs_ / columns));
    Var column(TileProducts::kColumn), row(TileProducts::kRow), oo("oo"), nn("nn"), nr("nr");
    RVar word(TileProducts::kWord);
    Func copied = in_memory();
    keep_on_stack(copied.reorder_storage(o, n, low, high, repeat));
    copied.split(o, oo, o, columns * vectors)
        .split(o, o, column, columns)
        .unroll(o)
        .split(n, nn, nr, by.token_registers)
        .split(nr, nr, row, rows)
        .unroll(nr)
        .reorder(column, row, o, nr, nn, oo, low, high, repeat);
    sum.compute_at(copied, nn);
    sum.update()
        .split(o, o, column, columns)
        .split(n, n, row, rows)
        .rename(r.x, word)
        .reorder(column, row, word, o, n, r.y, r.z)
        .unroll(o)
        .unroll(n)
        .unroll(r.y);
    if (by.reduction_unroll > 1) sum.update().unroll(r.z, by.reduction_unroll);
    words.schedule(by.token_tile, by.word_steps);
  }

 private:
  const int outputs_;
  PartWords words;
  Halide::Func sum;
  Halide::RDom r;  // word of a step, term, step
};

// A single token: its parts are the rows of a tile, in as many slots of three rows as fit: a slot for every tile of weights
// that is added to the sum's tile. A slot's tile of words has zeros in the other slots' rows: it is a window on a band of
// zeros with the parts in the middle.
class SingleTokenTileProduct : public PanelProduct {
 public:
  explicit SingleTokenTileProduct(const Panels& of)
      : outputs_(of.outputs),
        slots_(most_slots(weight_tiles(of))),
        words(of, kBf16Parts * (slots_ - 1)),
        sum(of.name),
        added(of.name + "_added"),
        r(0, kTileWords, 0, slots_, of.name + "_i") {
    using namespace Halide;
    const int parts = weight_parts(of.type);
    RVar word = r.x, slot = r.y;
    // sum[panel, row, group, o] = sum_slot sum_word W[panel, o, tile, word] words_part[word],
    //   tile = group slots + slot = step parts + of_weight,   row = 3 slot + of_input
    Expr tile = group * slots_ + slot;
    sum(o, row, group, low, high, n, repeat) = 0.0f;
    sum(o, row, group, low, high, n, repeat) =
        bf16_dot(sum(o, row, group, low, high, n, repeat),
                 words(tile / parts * kTileWords + word, row + kBf16Parts * (slots_ - 1) - kBf16Parts * slot),
                 of.weight(o, tile * kTileWords + word, of.panel));
    // added[panel, o] = sum_step sum_term sum[panel, row, group, o]: added up as the tile of many tokens does
    Expr total;
    for (int step = 0; step < weight_tiles(of) / parts; ++step) {
      for (const PartTerm& term : part_terms(of.type)) {
        const int t = step * parts + term.of_weight;
        Expr next = sum(o, t % slots_ * kBf16Parts + term.of_input, t / slots_, low, high, n, repeat);
        total = total.defined() ? strict_float(total + next) : next;
      }
    }
    added(o, low, high, n, repeat) = total;
  }

  Halide::Func result() override { return added; }
  Halide::Func in_memory() override { return added; }
  Halide::Func inputs_in_memory() override { return words.func(); }

  // In registers: the rows of parts x tiles of outputs.
  void schedule(const ProductSchedule& by) override {
    using namespace Halide;
    const int columns = kTileColumns, vectors = std::max(1, std::min(by.output_vectors, outputs_ / columns));
    Var column(TileProducts::kColumn), tile_row(TileProducts::kRow), oo("oo");
    RVar word(TileProducts::kWord);
    keep_on_stack(added.reorder_storage(o, n, low, high, repeat));
    added.split(o, oo, o, columns * vectors).vectorize(o, columns).unroll(o);
    Func copied = sum.in();
    keep_on_stack(copied);
    copied.compute_at(added, oo)
        .split(o, o, column, columns)
        .unroll(o)
        .rename(row, tile_row)
        .reorder(column, tile_row, o, group);
    sum.compute_at(copied, group);
    sum.update()
        .split(o, o, column, columns)
        .rename(row, tile_row)
        .rename(r.x, word)
        .reorder(column, tile_row, word, o, r.y)
        .unroll(o)
        .unroll(r.y);
    words.schedule(by.token_tile, by.word_steps);
  }

 private:
  static int weight_tiles(const Panels& of) { return of.inputs / (2 * kTileWords) * weight_parts(of.type); }

  // Slots that one tile has, for so many tiles of weights.
  static int most_slots(int weight_tiles) {
    int slots = kTileRows / kBf16Parts;
    while (weight_tiles % slots != 0) --slots;
    return slots;
  }

  const int outputs_, slots_;
  PartWords words;
  Halide::Func sum, added;
  Halide::RDom r;  // word of a tile, slot
  Halide::Var row{"row"}, group{"group"};
};

}  // namespace lookupffn
#endif
