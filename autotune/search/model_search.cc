#include "model_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lookupffn {
namespace {

// Points chosen before the regression has a say, the starts included.
constexpr size_t kFirstPoints = 7;
// Of these, so many-th is far from everything tried, whatever it should cost; the others differ from what was tried where that
// costs little: a point that differs in all parameters may be estimated at so much more (a logarithm).
constexpr size_t kFarEvery = 3;
constexpr double kDiversity = 0.15;
// Of the open points, those whose variance is looked at: the best by their means, and some at random.
constexpr size_t kMostPromising = 400, kRandomOnes = 100;
// Costs beyond this multiple of the best are all "bad": their differences would only blur the fit.
const double kWorstLog = std::log(4.0);
// The covariance is cubic in its observations.
constexpr size_t kLargestFit = 240;
// Trees are fitted to so many draws of the trials: where these disagree, little is known. Of fewer trials they learn nothing.
constexpr int kForests = 5;
constexpr size_t kFewestForTrees = 30;
// Trials without an improvement after which one proposal looks far from everything tried.
constexpr size_t kPatience = 12;

double normal_density(double z) { return 0.3989422804014327 * std::exp(-0.5 * z * z); }
double normal_below(double z) { return 0.5 * std::erfc(-z * 0.7071067811865476); }

}  // namespace

ModelSearch::ModelSearch(const LegalSchedules& space, const SearchHints& hints, uint64_t seed)
    : space_(space), hints_(hints), random_(seed), process_(space, prior_, &random_) {
  take_in_new_points();
}

void ModelSearch::take_in_new_points() {
  used_.resize(space_.size(), false);
  while (hints_.estimated_cost && prior_.size() < space_.size()) {
    prior_.push_back(std::log(hints_.estimated_cost(space_.point(prior_.size()))));
  }
  if (!hints_.features) return;
  std::vector<Features> features;
  const size_t known = columns_.empty() ? 0 : rows_.size() / columns_.size();
  for (size_t i = known; i < space_.size(); ++i) features.push_back(hints_.features(space_.point(i)));
  if (columns_.empty()) {
    for (const Features& of_point : features) {
      for (const auto& feature : of_point) columns_.emplace(feature.first, columns_.size());
    }
  }
  for (const Features& of_point : features) {
    const std::vector<float> row = feature_row(of_point, columns_);
    rows_.insert(rows_.end(), row.begin(), row.end());
  }
}

void ModelSearch::observe(size_t point, std::optional<double> cost) {
  take_in_new_points();
  const bool ok = cost && *cost > 0 && std::isfinite(*cost);
  const bool better = ok && (observed_.empty() || !cost_[best_observed()] || std::log(*cost) < *cost_[best_observed()] - 1e-3);
  since_improvement_ = better ? 0 : since_improvement_ + 1;
  used_[point] = true;
  proposed_.erase(std::remove(proposed_.begin(), proposed_.end(), point), proposed_.end());
  observed_.push_back(point);
  cost_.push_back(ok ? std::optional<double>(std::log(*cost)) : std::nullopt);
}

// Index into observed_ of the cheapest, of any where all failed.
size_t ModelSearch::best_observed() const {
  size_t best = 0;
  for (size_t i = 1; i < observed_.size(); ++i) {
    if (cost_[i] && (!cost_[best] || *cost_[i] < *cost_[best])) best = i;
  }
  return best;
}

// What the regression sees: failures and the hopeless look equally bad.
std::vector<double> ModelSearch::targets() const {
  const double best = cost_[best_observed()].value_or(0);
  std::vector<double> targets;
  for (const auto& cost : cost_) targets.push_back(std::min(cost.value_or(best + kWorstLog), best + kWorstLog));
  return targets;
}

std::vector<size_t> ModelSearch::open_points() const {
  std::vector<size_t> open;
  for (size_t i = 0; i < space_.size(); ++i) {
    if (!used_[i]) open.push_back(i);
  }
  return open;
}

std::vector<size_t> ModelSearch::promising(const std::vector<size_t>& open) {
  if (open.size() <= kMostPromising + kRandomOnes) return open;
  std::vector<double> means = process_.means(open);
  for (size_t i = 0; !trees_.empty() && i < open.size(); ++i) means[i] += by_trees(open[i]).mean;
  std::vector<size_t> order(open.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto rest = order.begin() + kMostPromising;
  std::nth_element(order.begin(), rest, order.end(), [&](size_t a, size_t b) { return means[a] < means[b]; });
  for (size_t i = 0; i < kRandomOnes; ++i) {
    std::uniform_int_distribution<size_t> which(kMostPromising + i, order.size() - 1);
    std::swap(order[kMostPromising + i], order[which(random_)]);
  }
  std::vector<size_t> pool;
  for (size_t i = 0; i < kMostPromising + kRandomOnes; ++i) pool.push_back(open[order[i]]);
  return pool;
}

// The starts, then by turns the best of the estimate and something far from all others.
std::optional<size_t> ModelSearch::first_points() {
  while (next_start_ < hints_.starts.size()) {
    const size_t start = hints_.starts[next_start_++];
    if (!used_[start]) return start;
  }
  if (observed_.size() + proposed_.size() >= std::max(kFirstPoints, hints_.starts.size() + 3)) return std::nullopt;
  ++first_count_;
  if (first_count_ % kFarEvery != 0 && !prior_.empty()) {
    // The best estimate, among points that differ from those tried: equal estimates come in swarms.
    const std::vector<size_t> pool = open_points();
    std::optional<size_t> best;
    double best_score = 0;
    for (size_t point : pool) {
      double nearest = 1;
      auto compare = [&](size_t other) {
        nearest = std::min(nearest, double(space_.differences(point, other)) / space_.parameter_count());
      };
      for (size_t other : observed_) compare(other);
      for (size_t other : proposed_) compare(other);
      const double score = prior_[point] - kDiversity * nearest + 0.02 * std::uniform_real_distribution<double>()(random_);
      if (!best || score < best_score) {
        best = point;
        best_score = score;
      }
    }
    return best;
  }
  return farthest();
}

// Of a few random open points, the one that differs most from all that were tried.
std::optional<size_t> ModelSearch::farthest() {
  std::vector<size_t> pool = open_points();
  if (pool.empty()) return std::nullopt;
  std::shuffle(pool.begin(), pool.end(), random_);
  pool.resize(std::min<size_t>(pool.size(), 20));
  auto apart = [&](size_t point) {
    double nearest = std::numeric_limits<double>::max();
    auto compare = [&](size_t other) {
      double sum = 0;
      for (size_t p = 0; p < space_.parameter_count(); ++p) sum += space_.distance(p, point, other);
      nearest = std::min(nearest, sum);
    };
    for (size_t other : observed_) compare(other);
    for (size_t other : proposed_) compare(other);
    return nearest;
  };
  size_t best = pool[0];
  double best_apart = apart(best);
  for (size_t point : pool) {
    const double a = apart(point);
    if (a > best_apart) {
      best = point;
      best_apart = a;
    }
  }
  return best;
}

// Fits the process to the trials, those under way included: they are taken to cost what is expected of them, so that a batch
// spreads out.
void ModelSearch::fit() {
  std::vector<size_t> points = observed_;
  std::vector<double> values = targets();
  if (points.size() > kLargestFit) {  // the best half and the latest half
    std::vector<size_t> order(points.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end() - kLargestFit / 2, [&](size_t a, size_t b) { return values[a] < values[b]; });
    std::vector<size_t> kept(order.begin(), order.begin() + kLargestFit / 2);
    kept.insert(kept.end(), order.end() - kLargestFit / 2, order.end());
    std::vector<size_t> kept_points;
    std::vector<double> kept_values;
    for (size_t i : kept) {
      kept_points.push_back(points[i]);
      kept_values.push_back(values[i]);
    }
    points = kept_points;
    values = kept_values;
  }
  process_.fit(points, values, proposed_.empty());
  if (proposed_.empty()) return;
  const std::vector<double> expected = process_.means(proposed_);
  points.insert(points.end(), proposed_.begin(), proposed_.end());
  values.insert(values.end(), expected.begin(), expected.end());
  process_.fit(points, values, false);
}

void ModelSearch::fit_trees() {
  trees_.clear();
  const size_t n = observed_.size(), columns = columns_.size();
  if (columns == 0 || n < kFewestForTrees) return;
  const std::vector<double> values = targets();
  std::uniform_int_distribution<size_t> which(0, n - 1);
  BoostingOptions options;
  options.trees = 60;
  options.depth = 3;
  options.rate = 0.15;
  options.least_weight = 2;
  for (int forest = 0; forest < kForests; ++forest) {
    std::vector<float> rows;
    std::vector<double> residuals;
    for (size_t i = 0; i < n; ++i) {
      const size_t drawn = which(random_), point = observed_[drawn];
      const auto row = rows_.begin() + static_cast<std::ptrdiff_t>(point * columns);
      rows.insert(rows.end(), row, row + static_cast<std::ptrdiff_t>(columns));
      residuals.push_back(values[drawn] - (prior_.empty() ? 0 : prior_[point]));
    }
    options.seed = random_();
    trees_.emplace_back(rows, columns, residuals, std::vector<double>(), options);
  }
}

GaussianProcess::Prediction ModelSearch::by_trees(size_t point) const {
  double sum = 0, squares = 0;
  for (const BoostedTrees& trees : trees_) {
    const double value = trees.predict(&rows_[point * columns_.size()]);
    sum += value;
    squares += value * value;
  }
  const double mean = sum / kForests, variance = std::max(1e-8, squares / kForests - mean * mean);
  return {mean + (prior_.empty() ? 0 : prior_[point]), std::sqrt(variance)};
}

std::optional<size_t> ModelSearch::expected_improvement(const std::vector<size_t>& pool) {
  if (pool.empty()) return std::nullopt;
  const double best = cost_[best_observed()].value_or(0);
  auto predictions = process_.predict(pool);
  for (size_t i = 0; !trees_.empty() && i < pool.size(); ++i) {
    // Either may be right.
    GaussianProcess::Prediction& p = predictions[i];
    const GaussianProcess::Prediction other = by_trees(pool[i]);
    const double apart = p.mean - other.mean;
    p.deviation = std::sqrt((p.deviation * p.deviation + other.deviation * other.deviation) / 2 + apart * apart / 4);
    p.mean = (p.mean + other.mean) / 2;
  }
  size_t chosen = pool[0];
  double most = -1;
  for (size_t i = 0; i < pool.size(); ++i) {
    const auto& p = predictions[i];
    const double z = (best - p.mean) / p.deviation;
    const double improvement = p.deviation * (z * normal_below(z) + normal_density(z));
    if (improvement > most) {
      most = improvement;
      chosen = pool[i];
    }
  }
  return chosen;
}

std::vector<size_t> ModelSearch::propose(size_t count) {
  take_in_new_points();
  std::vector<size_t> chosen, pool;
  while (chosen.size() < count) {
    std::optional<size_t> point = first_points();
    if (!point) {
      if (observed_.empty()) {  // nothing to learn from yet
        point = farthest();
      } else if (since_improvement_ >= kPatience && ++proposals_ % kPatience == 0) {
        point = farthest();  // a restart elsewhere
      } else {
        fit();
        if (pool.empty()) {
          fit_trees();
          pool = promising(open_points());
        }
        pool.erase(std::remove_if(pool.begin(), pool.end(), [&](size_t p) { return used_[p]; }), pool.end());
        point = expected_improvement(pool.empty() ? open_points() : pool);
      }
    }
    if (!point) break;
    used_[*point] = true;
    proposed_.push_back(*point);
    chosen.push_back(*point);
  }
  return chosen;
}

}  // namespace lookupffn
