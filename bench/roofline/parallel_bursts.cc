#include "parallel_bursts.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "measuring_clock.h"

namespace lookupffn::bench {

double time_bursts(size_t threads, const std::function<void(size_t thread)>& burst) {
  std::atomic<size_t> ready{0};
  std::vector<double> begun(threads), ended(threads);
  const auto body = [&](size_t thread) {
    ready.fetch_add(1);
    while (ready.load() < threads) {  // spins: a thread that sleeps here starts late
    }
    begun[thread] = measuring_clock(threads);
    burst(thread);
    ended[thread] = measuring_clock(threads);
  };
  std::vector<std::thread> others;
  for (size_t thread = 1; thread < threads; ++thread) others.emplace_back(body, thread);
  body(0);
  for (std::thread& other : others) other.join();
  return *std::max_element(ended.begin(), ended.end()) - *std::min_element(begun.begin(), begun.end());
}

}  // namespace lookupffn::bench
