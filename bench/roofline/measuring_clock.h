// The clock that all of a comparison is timed with.
#ifndef LOOKUPFFN_BENCH_MEASURING_CLOCK_H
#define LOOKUPFFN_BENCH_MEASURING_CLOCK_H

#include <time.h>

#include <cstddef>

namespace lookupffn::bench {

// In seconds. What runs on one thread is timed by the processor time of the process: what other programs take of the CPU in
// between is not its, and a thread that it starts nevertheless counts. More threads can only be timed from outside.
inline double measuring_clock(size_t threads) {
  timespec t{};
  clock_gettime(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

}  // namespace lookupffn::bench
#endif
