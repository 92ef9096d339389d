// Time for limits and budgets, by a clock that cannot be trusted.
#ifndef LOOKUPFFN_JUMP_PROOF_CLOCK_H
#define LOOKUPFFN_JUMP_PROOF_CLOCK_H

#include <chrono>

namespace lookupffn {

// Adds up the steps between a clock's readings. A step back counts as none, and one forward that is longer
// than can have passed as what lies between two readings otherwise: those are jumps.
class StepSum {
 public:
  using Duration = std::chrono::nanoseconds;
  explicit StepSum(Duration first) : last_(first) {}
  Duration add(Duration reading);  // since the first; never less than before

 private:
  Duration last_, sum_{0};
};

// A clock as those of std::chrono, for this process: the steady clock, which is not set with the date,
// without the jumps that it makes where a machine was halted or is emulated badly. Whoever waits must read it
// all along, as run_process() does, so that a few seconds lie between two readings at most. Threads may call
// it at the same time.
struct JumpProofClock {
  using duration = StepSum::Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<JumpProofClock>;
  static constexpr bool is_steady = true;
  static time_point now();
};

}  // namespace lookupffn
#endif
