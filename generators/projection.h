// The two projections, on packed weights.
//
// Both are products of panels: g[o, m] = sum_i W[o, i, m] in[i, m], o running over the panel's outputs. A dense
// projection is cut into panels of kPanel outputs that all read h; a BH4 stage has a panel a block, which reads
// its own block. o is contiguous in memory, so a vector of outputs is one load.
#ifndef LOOKUPFFN_PROJECTION_H
#define LOOKUPFFN_PROJECTION_H

#include <algorithm>
#include <string>
#include <vector>

#include "Halide.h"
#include "packed_types.h"

namespace lookupffn {

// The Sylvester-Hadamard transform across the blocks of a BH4 stage,
//
//   v[m] = sum_m' (-1)^popcount(m & m') g[m'],     m, m' = 0..blocks-1,
//
// as log2(blocks) butterflies. (Within a block the transform is folded into the packed matrices:
// H_p = H_blocks (x) H_block.) A block's index has two digits, m = low + 16 high, so that a schedule can unroll
// one of them whole, whatever the number of blocks.
struct CrossBlockHadamard {
  static int low_digits(int blocks) { return std::min(blocks, 16); }
  static int high_digits(int blocks) { return blocks / low_digits(blocks); }

  std::vector<Halide::Func> butterflies;  // o, low, high, n, repeat; the last is v
  std::vector<bool> across_high;          // which digit a butterfly combines

  CrossBlockHadamard(const Halide::Func& g, int blocks, const std::string& name) {
    using namespace Halide;
    Var o{"o"}, low{"low"}, high{"high"}, n{"n"}, repeat{"repeat"};
    Func previous = g;
    for (int stride = 1; stride < blocks; stride *= 2) {
      const bool is_high = stride >= low_digits(blocks);
      const int step = is_high ? stride / low_digits(blocks) : stride;
      const int last = (is_high ? high_digits(blocks) : low_digits(blocks)) - 1;
      Expr digit = is_high ? Expr(high) : Expr(low);
      // u[m] = previous[m] + previous[m + step]  where m's bit is 0,
      //        previous[m - step] - previous[m]  where it is 1.
      // The clamps never bite; they bound the digit for Halide.
      Expr above = clamp(digit + step, 0, last), below = clamp(digit - step, 0, last);
      Expr here = previous(o, low, high, n, repeat);
      Expr up = is_high ? previous(o, low, above, n, repeat) : previous(o, above, high, n, repeat);
      Expr down = is_high ? previous(o, low, below, n, repeat) : previous(o, below, high, n, repeat);
      Func u(name + "_butterfly" + std::to_string(stride));
      u(o, low, high, n, repeat) = select((digit / step) % 2 == 0, here + up, down - here);
      butterflies.push_back(u);
      across_high.push_back(is_high);
      previous = u;
    }
  }
};

}  // namespace lookupffn
#endif
