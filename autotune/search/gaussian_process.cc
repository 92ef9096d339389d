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

GaussianProcess::GaussianProcess(const LegalSchedules& space, std::vector<double> prior, std::mt19937_64* random)
    : space_(space), prior_(std::move(prior)), random_(random) {
  fit_.unknowns.relevance.assign(space.parameter_count(), 1.0);
}

double GaussianProcess::covariance(const Unknowns& unknowns, size_t a, size_t b) const {
  double squared = 0, sum = 0, total = 1e-9;
  for (size_t p = 0; p < unknowns.relevance.size(); ++p) {
    const double d = space_.distance(p, a, b);
    const double step = unknowns.relevance[p] * d * d;
    squared += step;
    sum += unknowns.relevance[p] * matern52(step);
    total += unknowns.relevance[p];
  }
  return (1 - unknowns.additive) * matern52(squared) + unknowns.additive * sum / total;
}

bool GaussianProcess::try_fit(const Unknowns& unknowns, const std::vector<double>& targets, Fit* fit) const {
  const size_t n = points_.size();
  Eigen::VectorXd residual(n);
  for (size_t i = 0; i < n; ++i) {
    residual[i] = targets[i] - (prior_.empty() ? 0 : unknowns.belief * prior_[points_[i]]);
  }
  fit->unknowns = unknowns;
  fit->offset = residual.mean();
  residual.array() -= fit->offset;
  // Two tiny observations of equal cost must not make the process certain of everything.
  fit->scale = std::sqrt(residual.squaredNorm() / n + 1e-4);
  residual /= fit->scale;
  Eigen::MatrixXd k(n, n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) k(i, j) = k(j, i) = covariance(unknowns, points_[i], points_[j]);
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

GaussianProcess::Prediction GaussianProcess::predict(size_t point) const {
  const size_t n = points_.size();
  Eigen::VectorXd k(n);
  for (size_t i = 0; i < n; ++i) k[i] = covariance(fit_.unknowns, point, points_[i]);
  const double mean = k.dot(fit_.weights);
  const Eigen::VectorXd solved = fit_.factor.matrixL().solve(k);
  const double variance = std::max(1e-9, covariance(fit_.unknowns, point, point) - solved.squaredNorm());
  const double prior = prior_.empty() ? 0 : fit_.unknowns.belief * prior_[point];
  return {mean * fit_.scale + fit_.offset + prior, std::sqrt(variance) * fit_.scale};
}

}  // namespace lookupffn
