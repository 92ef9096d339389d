// How a fast feed-forward layer is laid out for its kernels. Header only: the kernel compiler uses it too.
#ifndef LOOKUPFFN_FFF_SHAPE_H
#define LOOKUPFFN_FFF_SHAPE_H

#include <algorithm>
#include <cstddef>
#include <string>

#include "packed_shape.h"

namespace lookupffn {

// Trees of 2^depth leaves, whose nodes are numbered like a heap's: the children of n are 2n + 1 and 2n + 2.
// Either every node has a logit and a row, the last level's too; or the leaves have a small network in their
// place.
struct FffShape {
  size_t d_in, d_out, trees, depth;
  size_t hidden;  // width of a leaf's network; 0: nodes have rows

  // rows: of a tree's table: nodes or leaves.
  FffShape(size_t d_in_, size_t d_out_, size_t trees_, size_t rows, size_t hidden_)
      : d_in(d_in_), d_out(d_out_), trees(trees_), depth(0), hidden(hidden_) {
    while ((hidden > 0 ? size_t{1} << depth : (size_t{2} << depth) - 1) < rows) ++depth;
  }

  bool has_leaves() const { return hidden > 0; }
  size_t levels() const { return depth + 1; }                         // nodes on a way down, its leaf among them
  size_t logits() const { return has_leaves() ? depth : depth + 1; }  // of a way down
  size_t nodes() const { return (size_t{1} << logits()) - 1; }        // of a tree, that have a logit
  size_t leaves() const { return size_t{1} << depth; }
  size_t path() const { return trees * levels(); }  // codes of a token

  // Packed rows, in floats.
  size_t in() const { return round_up(d_in, kInputMultiple); }
  size_t out() const { return round_up(d_out, kLaneMultiple); }
  size_t hidden_row() const { return round_up(hidden, kLaneMultiple); }

  // Canonical texts of the kernels' problems: see lookupffn/kernels.h.
  std::string descent_problem() const {
    return "d_in=" + std::to_string(in()) + " depth=" + std::to_string(depth) + " form=" + (has_leaves() ? "leaves" : "nodes") +
           " trees=" + std::to_string(trees);
  }
  std::string rows_problem() const {
    return "d_out=" + std::to_string(out()) + " depth=" + std::to_string(depth) + " trees=" + std::to_string(trees);
  }
  std::string hidden_problem() const { return product_problem(d_in, hidden_row()); }
  std::string output_problem() const { return product_problem(hidden, out()); }

 private:
  static std::string product_problem(size_t inputs, size_t outputs) {
    return "inputs=" + std::to_string(inputs) + " outputs=" + std::to_string(outputs);
  }
};

// Sizes that are supported. Kernels count a tensor's elements, and its bytes, in 32 bits.
constexpr size_t kMaxFffDepth = 20;
constexpr size_t kMaxFffElements = size_t{1} << 29;

// Floats of the largest packed tensor; more than kMaxFffElements are not supported.
inline size_t largest_tensor(const FffShape& shape) {
  if (!shape.has_leaves()) return shape.trees * shape.nodes() * std::max(shape.in(), shape.out());
  return std::max(shape.nodes() * shape.in(),
                  shape.leaves() * std::max(shape.d_in * shape.hidden_row(), shape.hidden * shape.out()));
}

}  // namespace lookupffn
#endif
