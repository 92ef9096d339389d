// The Hadamard transform across the blocks of a BH4 stage.
#ifndef LOOKUPFFN_CROSS_BLOCK_HADAMARD_H
#define LOOKUPFFN_CROSS_BLOCK_HADAMARD_H

#include <algorithm>
#include <string>
#include <vector>

#include "Halide.h"
#include "stack_storage.h"

namespace lookupffn {

// The Sylvester-Hadamard transform
//
//   v[m] = sum_m' (-1)^popcount(m & m') g[m'],     m, m' = 0..blocks-1,
//
// as log2(blocks) butterflies. (Within a block the transform is folded into the packed matrices:
// H_p = H_blocks (x) H_block.) A block's index has two digits, m = low + 16 high, so that a schedule can unroll
// one of them whole, whatever the number of blocks.
struct CrossBlockHadamard {
  static int low_digits(int blocks) { return std::min(blocks, 16); }
  static int high_digits(int blocks) { return blocks / low_digits(blocks); }

  std::vector<Halide::Func> butterflies;  // o, low, high, n, repeat
  std::vector<bool> across_high;          // which digit a butterfly combines
  Halide::Func v;                         // the last butterfly; of a single block g itself

  CrossBlockHadamard(const Halide::Func& g, int blocks, const std::string& name) : v(g) {
    using namespace Halide;
    for (int stride = 1; stride < blocks; stride *= 2) {
      const bool is_high = stride >= low_digits(blocks);
      const int step = is_high ? stride / low_digits(blocks) : stride;
      const int last = (is_high ? high_digits(blocks) : low_digits(blocks)) - 1;
      Expr digit = is_high ? Expr(high) : Expr(low);
      // u[m] = v[m] + v[m + step]  where m's bit is 0,
      //        v[m - step] - v[m]  where it is 1.
      // The clamps never bite; they bound the digit for Halide.
      Expr above = clamp(digit + step, 0, last), below = clamp(digit - step, 0, last);
      Expr here = v(o, low, high, n, repeat);
      Expr up = is_high ? v(o, low, above, n, repeat) : v(o, above, high, n, repeat);
      Expr down = is_high ? v(o, low, below, n, repeat) : v(o, below, high, n, repeat);
      Func u(name + "_butterfly" + std::to_string(stride));
      u(o, low, high, n, repeat) = select((digit / step) % 2 == 0, here + up, down - here);
      butterflies.push_back(u);
      across_high.push_back(is_high);
      v = u;
    }
  }

  struct Schedule {
    int lanes = 1;
    bool whole_blocks = false;  // the vectors of outputs of v's blocks are unrolled, too
    int steps = 0;              // butterflies from memory to memory; 0: all
    // Where the g of a register tile is computed for v at once: its vectors of outputs and tokens. Else 0.
    int tile_vectors = 0, tile_tokens = 0;
  };

  // From g to v in memory by vectors of outputs; butterflies in between that are in memory are computed where v is, at `level`.
  void schedule(const Schedule& by, const Halide::LoopLevel& level) {
    if (butterflies.empty()) return;
    v.compute_at(level);
    Halide::Func into = v;
    to_memory(into, by, across_high.back());
    for (size_t q = butterflies.size() - 1; q-- > 0;) {
      Halide::Func u = butterflies[q];
      if (in_memory(q, by.steps)) {
        into = u;
        to_memory(into.compute_at(level), by, across_high[q]);
        continue;
      }
      // With two digits the low one's butterflies are made for every high digit first.
      u.compute_at(into, by.tile_vectors > 0 ? o : oo).vectorize(o, by.lanes).unroll(low);
      if (across_high[q]) u.unroll(high);
    }
  }

  // The first butterfly that is in memory: what reads g.
  Halide::Func first_in_memory(int steps) const {
    for (size_t q = 0; q + 1 < butterflies.size(); ++q) {
      if (in_memory(q, steps)) return butterflies[q];
    }
    return v;
  }

  // The loop of first_in_memory() that takes a vector of outputs of all blocks, or a register tile's.
  const Halide::Var& outputs_loop() const { return oo; }

 private:
  static bool in_memory(size_t q, int steps) { return steps > 0 && (q + 1) % size_t(steps) == 0; }

  void to_memory(Halide::Func f, const Schedule& by, bool is_high) {
    using namespace Halide;
    Var ov("ov"), nr("nr");
    keep_on_stack(f.reorder_storage(o, n, low, high, repeat));
    std::vector<VarOrRVar> order = {ov, low};
    if (is_high) order = {ov, high, low};
    if (by.tile_vectors > 0) {
      f.split(o, oo, o, by.lanes * by.tile_vectors)
          .split(o, o, ov, by.lanes)
          .vectorize(ov)
          .unroll(o)
          .split(n, n, nr, by.tile_tokens);
      order.insert(order.end(), {o, nr});
    } else {
      f.split(o, oo, ov, by.lanes).vectorize(ov);
    }
    f.unroll(low);
    if (is_high) f.unroll(high);
    order.insert(order.end(), {oo, n, repeat});
    f.reorder(order);
    if (by.whole_blocks) f.unroll(oo);
  }

  Halide::Var o{"o"}, low{"low"}, high{"high"}, n{"n"}, repeat{"repeat"}, oo{"oo"};
};

}  // namespace lookupffn
#endif
