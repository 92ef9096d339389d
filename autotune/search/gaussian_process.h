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
  // prior: an estimate of the logarithm of the cost of every point that is asked about, or empty. Both `space` and `prior` must
  // outlive this; points may be added to them.
  GaussianProcess(const LegalSchedules& space, const std::vector<double>& prior, std::mt19937_64* random);

  // Fits to targets[i] at points[i]. With `search`, the unknowns are improved first.
  void fit(const std::vector<size_t>& points, const std::vector<double>& targets, bool search);

  struct Prediction {
    double mean, deviation;
  };
  std::vector<Prediction> predict(const std::vector<size_t>& points) const;
  // The means alone, which cost a fraction.
  std::vector<double> means(const std::vector<size_t>& points) const;

 private:
  struct Unknowns {
    std::vector<double> relevance;  // by parameter
    double additive = 0.3;          // share of the variance that is a sum over single parameters
    double belief = 1;              // factor of the prior
    double noise = 1e-3;            // variance of an observation, as a share of the variance of all
  };
  // Of each parameter and each two of its values: what they add to the distance, and to the sum over single parameters.
  struct Pairs {
    std::vector<std::vector<float>> step, term;
    double additive;
  };
  struct Fit {
    Unknowns unknowns;
    double offset = 0, scale = 1;
    Eigen::LLT<Eigen::MatrixXd> factor;
    Eigen::VectorXd weights;
    double likelihood = 0;
  };

  Pairs pairs_of(const Unknowns& unknowns) const;
  double covariance(const Pairs& pairs, size_t a, size_t b) const;
  Eigen::MatrixXd covariances(const std::vector<size_t>& points) const;  // [observations, points]
  bool try_fit(const Unknowns& unknowns, const std::vector<double>& targets, Fit* fit) const;

  const LegalSchedules& space_;
  const std::vector<double>& prior_;
  std::mt19937_64* random_;
  std::vector<size_t> points_;
  Fit fit_;
};

}  // namespace lookupffn
#endif
