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

  // All butterflies of a vector of outputs in registers, from g to v in memory. whole_blocks: v's vectors of a block are
  // unrolled, too.
  void schedule(int lanes, bool whole_blocks) {
    using namespace Halide;
    if (butterflies.empty()) return;
    Var ov("ov"), oo("oo");
    keep_on_stack(v.reorder_storage(o, n, low, high, repeat));
    v.split(o, oo, ov, lanes).vectorize(ov).unroll(low);
    if (across_high.back()) {
      v.unroll(high).reorder(ov, high, low, oo, n, repeat);
    } else {
      v.reorder(ov, low, high, oo, n, repeat);
    }
    if (whole_blocks) v.unroll(oo);
    for (size_t q = 0; q + 1 < butterflies.size(); ++q) {
      Func u = butterflies[q];
      // With two digits the low one's butterflies are made for every high digit first.
      u.compute_at(v, oo).vectorize(o, lanes).unroll(low);
      if (across_high[q]) u.unroll(high);
    }
  }

 private:
  Halide::Var o{"o"}, low{"low"}, high{"high"}, n{"n"}, repeat{"repeat"};
};

}  // namespace lookupffn
#endif
