// Regression over the points of a schedule space: what a point costs, and how sure that is.
#ifndef LOOKUPFFN_GAUSSIAN_PROCESS_H
#define LOOKUPFFN_GAUSSIAN_PROCESS_H

#include <Eigen/Dense>
#include <cstddef>
#include <random>
#include <vector>

#include "legal_schedules.h"

namespace lookupffn {

// A Gaussian process with a Matern 5/2 kernel, one relevance a parameter, over a prior mean that is a
// multiple of a given estimate. What is not known of it (relevances, how far to believe the estimate, noise)
// is chosen by the likelihood of the observations. Not thread-safe.
class GaussianProcess {
 public:
  // prior: an estimate of the logarithm of the cost of every point, or empty. `space` must outlive this.
  GaussianProcess(const LegalSchedules& space, std::vector<double> prior, std::mt19937_64* random);

  // Fits to targets[i] at points[i]. With `search`, the unknowns are improved first.
  void fit(const std::vector<size_t>& points, const std::vector<double>& targets, bool search);

  struct Prediction {
    double mean, deviation;
  };
  Prediction predict(size_t point) const;

 private:
  struct Unknowns {
    std::vector<double> relevance;  // by parameter
    double additive = 0.3;          // share of the variance that is a sum over single parameters
    double belief = 1;              // factor of the prior
    double noise = 1e-3;            // variance of an observation, as a share of the variance of all
  };
  struct Fit {
    Unknowns unknowns;
    double offset = 0, scale = 1;
    Eigen::LLT<Eigen::MatrixXd> factor;
    Eigen::VectorXd weights;
    double likelihood = 0;
  };

  double covariance(const Unknowns& unknowns, size_t a, size_t b) const;
  bool try_fit(const Unknowns& unknowns, const std::vector<double>& targets, Fit* fit) const;

  const LegalSchedules& space_;
  std::vector<double> prior_;
  std::mt19937_64* random_;
  std::vector<size_t> points_;
  Fit fit_;
};

}  // namespace lookupffn
#endif
