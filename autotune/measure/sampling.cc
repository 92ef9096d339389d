#include "sampling.h"

#include <algorithm>
#include <cmath>

namespace lookupffn {
namespace {

constexpr int kFirstLook = 3, kSecondLook = 7;
// Where a pair takes long, it is an average over so much work that one is enough to see what is hopeless.
constexpr double kHopeless = 1.5, kLongPairSeconds = 0.02;
// A candidate whose best is this much above the incumbent's median is not looked at again.
constexpr double kClearlySlower = 1.15, kSlower = 1.04;
constexpr double kLongestNs = 1e12;  // a quarter of an hour: the clock was set
// Of the median: a kernel's times differ less than that, so the clock jumped by less than a quarter of an hour.
constexpr double kFarBelow = 0.1, kFarAbove = 100;

// Takes out the pairs that cannot be, as the others show; returns how many.
int drop_jumps(SamplePairs* pairs) {
  if (pairs->candidate.size() < 3) return 0;
  const double incumbent = median(pairs->incumbent), candidate = median(pairs->candidate);
  const auto jumped = [](double ns, double usual) { return ns < kFarBelow * usual || ns > kFarAbove * usual; };
  size_t kept = 0;
  for (size_t i = 0; i < pairs->candidate.size(); ++i) {
    if (jumped(pairs->incumbent[i], incumbent) || jumped(pairs->candidate[i], candidate)) continue;
    pairs->incumbent[kept] = pairs->incumbent[i];
    pairs->candidate[kept++] = pairs->candidate[i];
  }
  const size_t dropped = pairs->candidate.size() - kept;
  pairs->incumbent.resize(kept);
  pairs->candidate.resize(kept);
  return static_cast<int>(dropped);
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const size_t half = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + half, values.end());
  if (values.size() % 2 == 1) return values[half];
  return (values[half] + *std::max_element(values.begin(), values.begin() + half)) / 2;
}

SamplePairs sample_in_turn(const std::function<double(int which)>& sample, const SamplingOptions& options,
                           const std::function<double()>& seconds_since_start) {
  SamplePairs pairs;
  const auto plausible = [](double ns) { return std::isfinite(ns) && ns > 0 && ns < kLongestNs; };
  int most = options.most_samples;
  double seconds = options.seconds;
  // All rounds took as long as the one in the middle: one that a clock jumped in must neither end this nor keep it going.
  std::vector<double> round_seconds;
  double last = seconds_since_start();
  const auto spent = [&] { return median(round_seconds) * static_cast<double>(round_seconds.size()); };
  for (int round = 0;; ++round) {
    pairs.noise += drop_jumps(&pairs);
    const int taken = static_cast<int>(pairs.candidate.size());
    if (pairs.noise >= 50) break;
    const bool long_pair = taken == 1 && round_seconds.back() > kLongPairSeconds;
    const double ratio = taken == 1 ? pairs.candidate[0] / pairs.incumbent[0] : 0;
    if (options.may_end_early && long_pair && ratio > kHopeless && ratio < kFarAbove) {
      pairs.ended_early = true;
      break;
    }
    if (options.may_end_early && (taken == kFirstLook || taken == kSecondLook)) {
      const double incumbent = median(pairs.incumbent);
      const double best = *std::min_element(pairs.candidate.begin(), pairs.candidate.end());
      if (best > incumbent * kClearlySlower ||
          (taken == kSecondLook && median(pairs.candidate) > incumbent * kSlower && best > incumbent)) {
        pairs.ended_early = true;
        break;
      }
    }
    const bool enough = taken >= most || (taken >= kFirstLook && spent() > seconds);
    if (enough && (most > options.most_samples || !(median(pairs.candidate) < options.good * median(pairs.incumbent)))) break;
    if (enough) {
      most = 3 * options.most_samples;
      seconds = 3 * options.seconds;
      if (taken >= most || spent() > seconds) break;
    }
    // a b, b a, a b: neither is always the one that follows the other.
    const int first = round % 2;
    double ns[2];
    ns[first] = sample(first);
    ns[1 - first] = sample(1 - first);
    const double now = seconds_since_start();
    round_seconds.push_back(now - last);
    last = now;
    if (!plausible(ns[0]) || !plausible(ns[1])) {
      ++pairs.noise;
      continue;
    }
    pairs.incumbent.push_back(ns[0]);
    pairs.candidate.push_back(ns[1]);
  }
  return pairs;
}

}  // namespace lookupffn
