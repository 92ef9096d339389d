// Two generated kernels, the incumbent and the candidate, in what calls them: to be checked and timed.
#ifndef LOOKUPFFN_BENCH_H
#define LOOKUPFFN_BENCH_H

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "lookupffn/lookupffn.h"
#include "objectives.h"
#include "surroundings.h"

namespace lookupffn {

struct MeasureOptions {
  std::string family, kernel;
  std::string isa;
  lookupffn_shape shape{};  // of the layer that the kernel is measured in
  lookupffn_type table_type = LOOKUPFFN_F32, projection_type = LOOKUPFFN_F32;
  size_t tokens = 1;  // a call
  size_t threads = 1;
  Objective objective = Objective::kHot;
  uint64_t seed = 1;
  int most_samples = 15;
  double seconds = 0.5;    // for timing
  double good = 0;         // SamplingOptions::good
  double time_limit = 30;  // for everything
  bool may_end_early = true;
};

enum Contender { kIncumbent = 0, kCandidate = 1 };

// The candidate is not to be used, whatever its time.
struct Incorrect : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What no kernel may touch: elements written before and after its outputs.
constexpr size_t kGuard = 64;
constexpr float kGuardValue = -12345.5f;

// Throws std::runtime_error with the runtime's message where `status` is a failure.
inline void must(lookupffn_status status, const char* what) {
  if (status != LOOKUPFFN_OK) throw std::runtime_error(std::string(what) + ": " + lookupffn_last_message());
}

// Throws std::runtime_error with the runtime's message where something fails. Not thread-safe.
class Bench {
 public:
  virtual ~Bench() = default;
  // Throws, Incorrect where the candidate's bits are not the incumbent's, or its results not the reference's.
  virtual void check() = 0;
  // ns of `calls` calls of options.tokens tokens amid the surroundings.
  virtual double time(Contender contender, size_t calls, Surroundings& surroundings) = 0;
  // Whether nothing else runs between the kernel's calls. If not, what ran before a sample makes no difference to it.
  virtual bool runs_alone() const = 0;
};

}  // namespace lookupffn
#endif
