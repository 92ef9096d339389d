// Fast feed-forward trees once more, naively and in double precision, to be read beside docs/families.md.
#ifndef LOOKUPFFN_FFF_TWIN_H
#define LOOKUPFFN_FFF_TWIN_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fff_model_file.h"
#include "fff_shape.h"

namespace lookupffn::reference {

struct FffTrees {
  FffShape shape;
  bool zero_right = false, gelu = false;
  std::vector<float> node_weight, node_bias;  // [trees, nodes, d_in], [trees, nodes]
  std::vector<float> rows;                    // [trees, nodes, d_out]; of leaves: none
  std::vector<float> w1, b1, w2,
      b2;  // [leaves, d_in, hidden], [leaves, hidden], [leaves, hidden, d_out], [leaves, d_out]
};

FffTrees fff_trees_from(const FffWeights& weights);
FffTrees random_fff_trees(const FffShape& shape, uint64_t seed);
// As the bytes of a model file: linear_in and linear_out, or w1s and w2s where zero goes right, or those of
// leaves.
std::vector<uint8_t> fff_model_bytes(const FffTrees& trees);

// Ways down. All are [tokens, trees, levels]; a leaf has logit 0 and score 1.
struct FffPaths {
  std::vector<int32_t> node;
  std::vector<double> logit, score;  // score = gelu(logit)
  std::vector<bool> undecided;       // its logit is too near to zero for float arithmetic to tell
};

double exact_gelu(double v);

// The way down that the logits choose; x [tokens, d_in].
FffPaths descend(const FffTrees& trees, const std::vector<float>& x);
// Logits and scores along another's way. Its first node that is not the root, or no child of the one before,
// ends it: that and what follows is -1.
FffPaths follow(const FffTrees& trees, const std::vector<float>& x, const std::vector<int32_t>& node);
// How many nodes of `paths` are none, or are a child that its parent's logit, decided, does not choose.
size_t wrong_turns(const FffTrees& trees, const FffPaths& paths);

// The codes of the C API as ways down: themselves, or those that lead to the leaves.
std::vector<int32_t> paths_of_codes(const FffTrees& trees, const std::vector<int32_t>& code);

// y = sum of score * row, of codes and scores [tokens, trees, levels].
std::vector<double> add_rows(const FffTrees& trees, const std::vector<int32_t>& node, const std::vector<double>& score);
// y of the leaves that ways down end at.
std::vector<double> leaf_outputs(const FffTrees& trees, const std::vector<float>& x, const std::vector<int32_t>& node);
inline std::vector<double> fff_outputs(const FffTrees& trees, const std::vector<float>& x, const FffPaths& paths) {
  return trees.shape.has_leaves() ? leaf_outputs(trees, x, paths.node) : add_rows(trees, paths.node, paths.score);
}

}  // namespace lookupffn::reference
#endif
