#include "boosted_trees.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace lookupffn {
namespace {

constexpr size_t kMostBins = 32;
constexpr double kShrink = 1;  // weight of a leaf's belief in 0

// Values that split a column into bins of about equally many rows.
std::vector<float> thresholds_of(const std::vector<float>& rows, size_t columns, size_t column) {
  std::vector<float> values;
  for (size_t i = column; i < rows.size(); i += columns) values.push_back(rows[i]);
  std::sort(values.begin(), values.end());
  std::vector<float> distinct = values;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<float> thresholds;
  if (distinct.size() <= kMostBins) {
    for (size_t i = 1; i < distinct.size(); ++i) thresholds.push_back((distinct[i - 1] + distinct[i]) / 2);
    return thresholds;
  }
  for (size_t bin = 1; bin < kMostBins; ++bin) thresholds.push_back(values[bin * values.size() / kMostBins]);
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  return thresholds;
}

struct Sums {
  double weight = 0, target = 0;
  double score() const { return target * target / (weight + kShrink); }
};

}  // namespace

BoostedTrees::BoostedTrees(const std::vector<float>& rows, size_t columns, const std::vector<double>& targets,
                           const std::vector<double>& weights, const BoostingOptions& options) {
  const size_t n = targets.size();
  if (n == 0 || columns == 0) return;
  std::vector<std::vector<float>> thresholds;
  std::vector<size_t> useful;  // columns that differ at all
  for (size_t c = 0; c < columns; ++c) {
    thresholds.push_back(thresholds_of(rows, columns, c));
    if (!thresholds.back().empty()) useful.push_back(c);
  }
  std::vector<uint8_t> bins(n * columns);  // [columns, n]
  for (size_t c = 0; c < columns; ++c) {
    for (size_t i = 0; i < n; ++i) {
      const auto at = std::lower_bound(thresholds[c].begin(), thresholds[c].end(), rows[i * columns + c]);
      bins[c * n + i] = static_cast<uint8_t>(at - thresholds[c].begin());
    }
  }
  const auto weight = [&](size_t i) { return weights.empty() ? 1.0 : weights[i]; };
  double total = 0;
  for (size_t i = 0; i < n; ++i) {
    start_ += weight(i) * targets[i];
    total += weight(i);
  }
  start_ /= total;
  std::vector<double> residual(n);
  for (size_t i = 0; i < n; ++i) residual[i] = targets[i] - start_;

  std::mt19937_64 random(options.seed);
  struct Open {
    size_t node, first, last;  // rows order[first, last)
  };
  for (int t = 0; t < options.trees; ++t) {
    std::shuffle(useful.begin(), useful.end(), random);
    const size_t tried = std::max<size_t>(1, static_cast<size_t>(options.column_share * static_cast<double>(useful.size())));
    std::vector<Node> tree(1);
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    std::vector<Open> level = {{0, 0, n}};
    for (int depth = 0; !level.empty(); ++depth) {
      std::vector<Open> next;
      for (const Open& open : level) {
        Sums all;
        for (size_t k = open.first; k < open.last; ++k) {
          all.weight += weight(order[k]);
          all.target += weight(order[k]) * residual[order[k]];
        }
        double best_gain = 1e-9;
        size_t best_column = 0, best_bin = 0;
        for (size_t u = 0; depth < options.depth && u < std::min(tried, useful.size()); ++u) {
          const size_t c = useful[u];
          Sums bin_sums[kMostBins + 1];
          for (size_t k = open.first; k < open.last; ++k) {
            Sums& sums = bin_sums[bins[c * n + order[k]]];
            sums.weight += weight(order[k]);
            sums.target += weight(order[k]) * residual[order[k]];
          }
          Sums left;
          for (size_t b = 0; b < thresholds[c].size(); ++b) {
            left.weight += bin_sums[b].weight;
            left.target += bin_sums[b].target;
            const Sums right{all.weight - left.weight, all.target - left.target};
            if (left.weight < options.least_weight || right.weight < options.least_weight) continue;
            const double gain = left.score() + right.score() - all.score();
            if (gain > best_gain) {
              best_gain = gain;
              best_column = c;
              best_bin = b;
            }
          }
        }
        if (best_gain <= 1e-9) {
          const double value = options.rate * all.target / (all.weight + kShrink);
          tree[open.node].value = value;
          for (size_t k = open.first; k < open.last; ++k) residual[order[k]] -= value;
          continue;
        }
        const auto middle = std::stable_partition(order.begin() + static_cast<std::ptrdiff_t>(open.first),
                                                  order.begin() + static_cast<std::ptrdiff_t>(open.last),
                                                  [&](size_t i) { return bins[best_column * n + i] <= best_bin; });
        const size_t split = static_cast<size_t>(middle - order.begin()), left = tree.size();
        tree[open.node].column = static_cast<int>(best_column);
        tree[open.node].threshold = thresholds[best_column][best_bin];
        tree[open.node].left = static_cast<int>(left);
        tree.resize(left + 2);
        next.push_back({left, open.first, split});
        next.push_back({left + 1, split, open.last});
      }
      level = std::move(next);
    }
    trees_.push_back(std::move(tree));
  }
}

double BoostedTrees::predict(const float* row) const {
  double sum = start_;
  for (const std::vector<Node>& tree : trees_) {
    size_t at = 0;
    while (tree[at].column >= 0) {
      at = static_cast<size_t>(tree[at].left) + (row[tree[at].column] > tree[at].threshold ? 1 : 0);
    }
    sum += tree[at].value;
  }
  return sum;
}

}  // namespace lookupffn
