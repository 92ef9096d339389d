// Times the same work on several threads at once.
#ifndef LOOKUPFFN_BENCH_PARALLEL_BURSTS_H
#define LOOKUPFFN_BENCH_PARALLEL_BURSTS_H

#include <cstddef>
#include <functional>

namespace lookupffn::bench {

// Runs burst(thread) for 0..threads-1, each on a thread of its own (thread 0 on the caller's), all started
// together once every thread exists; returns the seconds from that start until the last has finished.
double time_bursts(size_t threads, const std::function<void(size_t thread)>& burst);

}  // namespace lookupffn::bench
#endif
