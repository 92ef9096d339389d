#include "jump_proof_clock.h"

#include <mutex>

namespace lookupffn {
namespace {

constexpr std::chrono::seconds kLongestStep(5);
constexpr std::chrono::milliseconds kUsualStep(50);  // run_process() reads the clock that often

}  // namespace

StepSum::Duration StepSum::add(Duration reading) {
  const Duration step = reading - last_;
  last_ = reading;
  if (step > kLongestStep) {
    sum_ += kUsualStep;
  } else if (step > Duration::zero()) {
    sum_ += step;
  }
  return sum_;
}

JumpProofClock::time_point JumpProofClock::now() {
  static std::mutex mutex;
  // Read under the lock: a reading that is added late would look like a step back.
  const std::lock_guard<std::mutex> lock(mutex);
  const StepSum::Duration reading = std::chrono::steady_clock::now().time_since_epoch();
  static StepSum sum(reading);
  return time_point(sum.add(reading));
}

}  // namespace lookupffn
