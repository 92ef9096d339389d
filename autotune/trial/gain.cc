#include "gain.h"

#include <algorithm>
#include <cmath>

namespace lookupffn {

MeasuredGain measured_gain(const std::vector<double>& default_samples, const std::vector<double>& other_samples) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(default_samples.size(), other_samples.size()); ++i) {
    ratios.push_back(default_samples[i] / other_samples[i]);
  }
  MeasuredGain result;
  if (ratios.empty()) return result;
  std::sort(ratios.begin(), ratios.end());
  const double n = static_cast<double>(ratios.size());
  // Order statistics: the median is between them in 95 of 100 cases, whatever the distribution.
  const double half_width = 0.98 * std::sqrt(n);
  const auto at = [&](double rank) { return ratios[static_cast<size_t>(std::clamp(rank, 0.0, n - 1))]; };
  const size_t middle = ratios.size() / 2;
  result.gain = ratios.size() % 2 == 1 ? ratios[middle] : (ratios[middle - 1] + ratios[middle]) / 2;
  result.low = at(std::floor(n / 2 - half_width));
  result.high = at(std::ceil(n / 2 + half_width) - 1);
  return result;
}

}  // namespace lookupffn
