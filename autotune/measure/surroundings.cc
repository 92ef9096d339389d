#include "surroundings.h"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

namespace lookupffn {
namespace {

// Of a machine that does not say how large its caches are.
constexpr int64_t kUsualCaches = 32 << 20;
// Caches keep some of what came before when as much as they hold has been read.
constexpr int64_t kTimesTheCaches = 2;
constexpr size_t kLine = 64;  // bytes

int64_t cache_bytes(const Machine& machine) {
  const int64_t known = std::max<int64_t>(machine.l2_bytes, 0) + std::max<int64_t>(machine.l3_bytes, 0);
  return known > 0 ? known : kUsualCaches;
}

uint64_t read_lines(const std::vector<uint64_t>& words, const std::atomic<bool>& end) {
  constexpr size_t kStep = kLine / sizeof(uint64_t);
  uint64_t sum = 0;
  for (size_t i = 0; i < words.size() && !end.load(std::memory_order_relaxed); i += kStep) sum += words[i];
  return sum;
}

}  // namespace

Surroundings::Surroundings(Objective objective, const Machine& machine, size_t threads) : objective_(objective) {
  if (objective == Objective::kHot) return;
  other_.assign(static_cast<size_t>(kTimesTheCaches * cache_bytes(machine)) / sizeof(uint64_t), 1);
  if (objective != Objective::kBusy) return;
  if (machine.threads > 0 && static_cast<size_t>(machine.threads) <= threads) {
    throw std::runtime_error("the objective busy needs a core for the neighbour beside those of the kernel, and there are " +
                             std::to_string(machine.threads));
  }
  neighbour_ = std::thread([this] {
    while (!end_) sum_ += read_lines(other_, end_);
  });
}

Surroundings::~Surroundings() {
  end_ = true;
  if (neighbour_.joinable()) neighbour_.join();
}

void Surroundings::before_call() {
  if (evicts()) sum_ += read_lines(other_, end_);
}

}  // namespace lookupffn
