#include "gaussian_process.h"

#include <algorithm>
#include <cmath>

namespace lookupffn {
namespace {

double matern52(double squared) {
  const double r = std::sqrt(5 * squared);
  return (1 + r + r * r / 3) * std::exp(-r);
}

}  // namespace

GaussianProcess::GaussianProcess(const LegalSchedules& space, const std::vector<double>& prior, std::mt19937_64* random)
    : space_(space), prior_(prior), random_(random) {
  fit_.unknowns.relevance.assign(space.parameter_count(), 1.0);
}

GaussianProcess::Pairs GaussianProcess::pairs_of(const Unknowns& unknowns) const {
  Pairs pairs;
  pairs.additive = unknowns.additive;
  double total = 1e-9;
  for (const double relevance : unknowns.relevance) total += relevance;
  for (size_t p = 0; p < unknowns.relevance.size(); ++p) {
    std::vector<float> step, term;
    for (const double d : space_.distances(p)) {
      step.push_back(static_cast<float>(unknowns.relevance[p] * d * d));
      term.push_back(static_cast<float>(unknowns.relevance[p] / total * matern52(step.back())));
    }
    pairs.step.push_back(std::move(step));
    pairs.term.push_back(std::move(term));
  }
  return pairs;
}

double GaussianProcess::covariance(const Pairs& pairs, size_t a, size_t b) const {
  float squared = 0, sum = 0;
  for (size_t p = 0; p < pairs.step.size(); ++p) {
    const size_t values = space_.value_count(p), at = space_.coordinate(a, p) * values + space_.coordinate(b, p);
    squared += pairs.step[p][at];
    sum += pairs.term[p][at];
  }
  return (1 - pairs.additive) * matern52(squared) + pairs.additive * sum;
}

Eigen::MatrixXd GaussianProcess::covariances(const std::vector<size_t>& points) const {
  // Points may have brought new values since the fit.
  const Pairs pairs = pairs_of(fit_.unknowns);
  Eigen::MatrixXd k(points_.size(), points.size());
  for (size_t j = 0; j < points.size(); ++j) {
    for (size_t i = 0; i < points_.size(); ++i) k(i, j) = covariance(pairs, points[j], points_[i]);
  }
  return k;
}

bool GaussianProcess::try_fit(const Unknowns& unknowns, const std::vector<double>& targets, Fit* fit) const {
  const size_t n = points_.size();
  Eigen::VectorXd residual(n);
  for (size_t i = 0; i < n; ++i) {
    residual[i] = targets[i] - (prior_.empty() ? 0 : unknowns.belief * prior_[points_[i]]);
  }
  fit->unknowns = unknowns;
  const Pairs pairs = pairs_of(unknowns);
  fit->offset = residual.mean();
  residual.array() -= fit->offset;
  // Two tiny observations of equal cost must not make the process certain of everything.
  fit->scale = std::sqrt(residual.squaredNorm() / n + 1e-4);
  residual /= fit->scale;
  Eigen::MatrixXd k(n, n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) k(i, j) = k(j, i) = covariance(pairs, points_[i], points_[j]);
    k(i, i) += unknowns.noise + 1e-8;
  }
  fit->factor.compute(k);
  if (fit->factor.info() != Eigen::Success) return false;
  fit->weights = fit->factor.solve(residual);
  const Eigen::MatrixXd l = fit->factor.matrixL();
  // The variance of the residual is part of the likelihood: it is what tells a good prior from a bad one.
  fit->likelihood = -0.5 * residual.dot(fit->weights) - l.diagonal().array().log().sum() - n * std::log(fit->scale);
  // Weak beliefs of our own: most parameters matter a little, and the estimate is worth something.
  for (double r : unknowns.relevance) fit->likelihood -= 0.5 * std::pow(std::log(r) / 1.5, 2);
  fit->likelihood -= std::pow(unknowns.belief - 0.7, 2);
  return std::isfinite(fit->likelihood);
}

void GaussianProcess::fit(const std::vector<size_t>& points, const std::vector<double>& targets, bool search) {
  points_ = points;
  Fit best;
  if (!try_fit(fit_.unknowns, targets, &best)) {
    Unknowns plain = fit_.unknowns;
    plain.noise = 0.1;
    try_fit(plain, targets, &best);
  }
  if (search) {
    std::normal_distribution<double> step(0, 1);
    std::uniform_int_distribution<size_t> which(0, best.unknowns.relevance.size() + 2);
    const int tries = points.size() < 100 ? 80 : 25;
    for (int i = 0; i < tries; ++i) {
      Unknowns u = best.unknowns;
      for (int changes = 0; changes < 2; ++changes) {
        const size_t w = which(*random_);
        if (w < u.relevance.size()) {
          u.relevance[w] = std::clamp(u.relevance[w] * std::exp(step(*random_)), 0.01, 50.0);
        } else if (w == u.relevance.size()) {
          u.additive = std::clamp(u.additive + 0.2 * step(*random_), 0.0, 0.9);
        } else if (w == u.relevance.size() + 1) {
          u.belief = prior_.empty() ? 0.7 : std::clamp(u.belief + 0.3 * step(*random_), 0.0, 1.5);
        } else {
          u.noise = std::clamp(u.noise * std::exp(step(*random_)), 1e-4, 0.3);
        }
      }
      Fit next;
      if (try_fit(u, targets, &next) && next.likelihood > best.likelihood) best = std::move(next);
    }
  }
  fit_ = std::move(best);
}

std::vector<double> GaussianProcess::means(const std::vector<size_t>& points) const {
  const Eigen::VectorXd mean = covariances(points).transpose() * fit_.weights;
  std::vector<double> means;
  for (size_t j = 0; j < points.size(); ++j) {
    const double prior = prior_.empty() ? 0 : fit_.unknowns.belief * prior_[points[j]];
    means.push_back(mean[j] * fit_.scale + fit_.offset + prior);
  }
  return means;
}

std::vector<GaussianProcess::Prediction> GaussianProcess::predict(const std::vector<size_t>& points) const {
  const std::vector<double> mean = means(points);
  const Eigen::MatrixXd solved = fit_.factor.matrixL().solve(covariances(points));
  std::vector<Prediction> predictions;
  for (size_t j = 0; j < points.size(); ++j) {
    const double variance = std::max(1e-9, 1 - solved.col(j).squaredNorm());  // a point's covariance with itself is 1
    predictions.push_back({mean[j], std::sqrt(variance) * fit_.scale});
  }
  return predictions;
}

}  // namespace lookupffn
