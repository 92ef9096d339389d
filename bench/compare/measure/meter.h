// Something that is sampled, and rounds that sample many such things in turn, so that a machine that drifts
// meets all of them alike.
#ifndef LOOKUPFFN_BENCH_METER_H
#define LOOKUPFFN_BENCH_METER_H

#include <cstddef>
#include <functional>
#include <vector>

namespace lookupffn::bench {

class Meter {
 public:
  explicit Meter(std::function<double()> sample) : sample_(std::move(sample)) {}
  // A sample during which the system took a CPU away from this process is taken again, three times at most in
  // all; the one with the fewest such interruptions counts.
  void sample();
  double median() const;  // of one sample at least
  double spread() const;  // (third quartile - first quartile) / median

 private:
  std::function<double()> sample_;
  std::vector<double> values_;
};

// `rounds` samples of each; each round begins with another meter. Where several threads run, the threads of
// the meter before (OpenMP's, for one, wait in a loop for a while) get time to fall asleep in between.
void sample_in_turn(const std::vector<Meter*>& meters, size_t rounds, size_t threads);

// A meter's sample that times calls: microseconds an input of `call(first)` for `tokens` inputs, first going
// round a ring, by the clock of measuring_clock.h. A sample takes 5 ms or one call, whichever is more, after an untimed warm-up
// of 25 ms or one call.
std::function<double()> time_calls(std::function<void(size_t first)> call, size_t tokens, size_t ring_tokens, size_t threads);

}  // namespace lookupffn::bench
#endif
