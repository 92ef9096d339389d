// Threads of every contender alike: the process on as many CPUs as there are threads.
#ifndef LOOKUPFFN_BENCH_ONE_CPU_SET_H
#define LOOKUPFFN_BENCH_ONE_CPU_SET_H

#include <cstddef>

namespace lookupffn::bench {

// Pins the process to the first `threads` CPUs that it may use, and starts it again with OMP_NUM_THREADS and
// OPENBLAS_NUM_THREADS set, as those libraries read them before main. Returns in the process that has both.
// Throws std::runtime_error where the process may not use so many CPUs.
void pin_and_restart(size_t threads, char** argv);

}  // namespace lookupffn::bench
#endif
