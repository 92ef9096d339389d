// The strategy that earns its keep: starts from what is known, then tries where an estimate of the costs, corrected by
// regression over the trials so far, expects the largest improvement. Two regressions have a say: a Gaussian process over the
// parameters, which knows what it does not know, and boosted trees over the features, which see what parameters make together.
#ifndef LOOKUPFFN_MODEL_SEARCH_H
#define LOOKUPFFN_MODEL_SEARCH_H

#include <map>
#include <random>
#include <string>
#include <vector>

#include "boosted_trees.h"
#include "gaussian_process.h"
#include "search_strategy.h"

namespace lookupffn {

class ModelSearch : public SearchStrategy {
 public:
  ModelSearch(const LegalSchedules& space, const SearchHints& hints, uint64_t seed);

  std::vector<size_t> propose(size_t count) override;
  void observe(size_t point, std::optional<double> cost) override;

 private:
  void take_in_new_points();
  std::vector<size_t> open_points() const;
  std::vector<size_t> promising(const std::vector<size_t>& open);
  std::optional<size_t> first_points();
  std::optional<size_t> farthest();
  void fit();
  void fit_trees();
  GaussianProcess::Prediction by_trees(size_t point) const;
  std::optional<size_t> expected_improvement(const std::vector<size_t>& pool);
  size_t best_observed() const;
  std::vector<double> targets() const;

  const LegalSchedules& space_;
  SearchHints hints_;
  std::mt19937_64 random_;
  std::vector<double> prior_;  // logarithms of the estimated costs of all points; empty where there is no estimate
  GaussianProcess process_;
  std::map<std::string, size_t> columns_;  // of features
  std::vector<float> rows_;                // [points, columns]
  std::vector<BoostedTrees> trees_;        // each of other trials
  std::vector<bool> used_;
  std::vector<size_t> observed_;             // points, in the order of the trials
  std::vector<std::optional<double>> cost_;  // logarithms
  std::vector<size_t> proposed_;             // not observed yet
  size_t next_start_ = 0;
  size_t first_count_ = 0;  // points chosen so far before any model
  size_t since_improvement_ = 0;
  size_t proposals_ = 0;
};

}  // namespace lookupffn
#endif
