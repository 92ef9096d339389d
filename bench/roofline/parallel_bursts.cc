#include "parallel_bursts.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace lookupffn::bench {

double time_bursts(size_t threads, const std::function<void(size_t thread)>& burst) {
  using clock = std::chrono::steady_clock;
  std::atomic<size_t> ready{0};
  std::vector<clock::time_point> begun(threads), ended(threads);
  const auto body = [&](size_t thread) {
    ready.fetch_add(1);
    while (ready.load() < threads) {  // spins: a thread that sleeps here starts late
    }
    begun[thread] = clock::now();
    burst(thread);
    ended[thread] = clock::now();
  };
  std::vector<std::thread> others;
  for (size_t thread = 1; thread < threads; ++thread) others.emplace_back(body, thread);
  body(0);
  for (std::thread& other : others) other.join();
  const auto first = *std::min_element(begun.begin(), begun.end());
  return std::chrono::duration<double>(*std::max_element(ended.begin(), ended.end()) - first).count();
}

}  // namespace lookupffn::bench
