// From samples taken in turn to a gain and how sure it is.
#ifndef LOOKUPFFN_GAIN_H
#define LOOKUPFFN_GAIN_H

#include <vector>

namespace lookupffn {

struct MeasuredGain {
  double gain = 1;           // the median of the pairs' ratios: default's time over the other's
  double low = 1, high = 1;  // between which the median lies with 95% confidence
};

// As many of each, taken in turn, at least one pair.
MeasuredGain measured_gain(const std::vector<double>& default_samples, const std::vector<double>& other_samples);

}  // namespace lookupffn
#endif
