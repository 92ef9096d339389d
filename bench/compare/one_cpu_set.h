// Threads of every contender alike: the process on as many CPUs as there are threads.
#ifndef LOOKUPFFN_BENCH_ONE_CPU_SET_H
#define LOOKUPFFN_BENCH_ONE_CPU_SET_H

#include <cstddef>
#include <string>

namespace lookupffn::bench {

// Pins the process to the first `threads` CPUs that it may use, and starts it again with OMP_NUM_THREADS,
// OPENBLAS_NUM_THREADS and, unless it is set or openblas_core() has no name, OPENBLAS_CORETYPE set, as those libraries read
// them before main. Returns in the process that has them.
// Throws std::runtime_error where the process may not use so many CPUs.
void pin_and_restart(size_t threads, char** argv);

// The name in OpenBLAS of the fastest kernels that this CPU's features allow; "" where that is left to OpenBLAS. OpenBLAS
// 0.3.21 goes by the CPU's model: it takes one that it does not know for an old one, without AVX-512.
std::string openblas_core();

}  // namespace lookupffn::bench
#endif
