// Gradient-boosted regression trees: small, and good at cliffs and at what depends on several numbers at once.
#ifndef LOOKUPFFN_BOOSTED_TREES_H
#define LOOKUPFFN_BOOSTED_TREES_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lookupffn {

struct BoostingOptions {
  int trees = 150;
  int depth = 4;
  double rate = 0.1;
  double column_share = 0.5;  // of the columns that a tree may split at
  double least_weight = 4;    // of the rows of a leaf
  uint64_t seed = 1;
};

// Immutable once fitted; may be shared between threads. Same data and options, same trees.
class BoostedTrees {
 public:
  BoostedTrees() = default;

  // rows: [targets.size(), columns], row-major. weights: of the rows, or empty: 1 each.
  BoostedTrees(const std::vector<float>& rows, size_t columns, const std::vector<double>& targets,
               const std::vector<double>& weights, const BoostingOptions& options);

  // row: [columns]. 0 before any fit.
  double predict(const float* row) const;

 private:
  struct Node {
    int column = -1;      // -1: a leaf
    float threshold = 0;  // rows at most this go to `left`, others to left + 1
    int left = 0;
    double value = 0;  // of a leaf
  };
  std::vector<std::vector<Node>> trees_;
  double start_ = 0;
};

}  // namespace lookupffn
#endif
