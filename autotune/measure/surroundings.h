// What a kernel's calls are timed amid, as the objective has it: warm caches, cold ones, or a neighbour that reads memory.
#ifndef LOOKUPFFN_SURROUNDINGS_H
#define LOOKUPFFN_SURROUNDINGS_H

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "machine.h"
#include "objectives.h"

namespace lookupffn {

// Not thread-safe. From construction to destruction a busy neighbour reads.
class Surroundings {
 public:
  // Throws std::runtime_error where the machine has no core for a neighbour beside `threads` that are timed.
  Surroundings(Objective objective, const Machine& machine, size_t threads);
  ~Surroundings();
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

  bool evicts() const { return objective_ == Objective::kCold; }

  // Where the objective is cold: reads so much else that the caches hold nothing of before.
  void before_call();

 private:
  const Objective objective_;
  std::vector<uint64_t> other_;  // what is read
  std::atomic<bool> end_{false};
  std::atomic<uint64_t> sum_{0};  // so that no compiler leaves reads out
  std::thread neighbour_;
};

}  // namespace lookupffn
#endif
