// Times two kernels in turn, and gives up on the second as soon as it is clearly slower.
#ifndef LOOKUPFFN_SAMPLING_H
#define LOOKUPFFN_SAMPLING_H

#include <functional>
#include <vector>

namespace lookupffn {

struct SamplingOptions {
  int most_samples = 15;  // of each
  double seconds = 0.5;   // after which, about, no further sample is begun
  bool may_end_early = true;
  double good = 0;  // candidates below this multiple of the incumbent get three times of both
};

struct SamplePairs {
  std::vector<double> incumbent, candidate;  // ns, as many of each, taken in turn
  bool ended_early = false;
  int noise = 0;  // samples that no clock can have meant: dropped
};

// sample(1) times the candidate, sample(0) the incumbent; each returns ns. Never fewer than three pairs of
// plausible samples, unless the clock gives none in 50 tries, or the first pair took long and shows a hopeless candidate.
SamplePairs sample_in_turn(const std::function<double(int which)>& sample, const SamplingOptions& options,
                           const std::function<double()>& seconds_since_start);

double median(std::vector<double> values);  // 0 for none

}  // namespace lookupffn
#endif
