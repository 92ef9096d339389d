// Threads of every contender alike: the process on as many CPUs as there are threads.
#ifndef LOOKUPFFN_BENCH_ONE_CPU_SET_H
#define LOOKUPFFN_BENCH_ONE_CPU_SET_H

#include <cstddef>
#include <string>

namespace lookupffn::bench {

// Pins the process to the first `threads` CPUs that it may use, and starts it again with these set, as libraries read them
// before main:
//   OMP_NUM_THREADS, OPENBLAS_NUM_THREADS
//   OPENBLAS_CORETYPE    openblas_core(), unless it has no name or the variable is set already
//   GLIBC_TUNABLES       glibc.malloc.hugetlb=1, unless that is set already: huge pages for what peers allocate, as ours are
// Returns in the process that has them. Throws std::runtime_error where the process may not use so many CPUs.
void pin_and_restart(size_t threads, char** argv);

// Those variables as they are, "NAME=value NAME=value".
std::string environment();

// The name in OpenBLAS of the fastest kernels that this CPU's features allow; "" where that is left to OpenBLAS. OpenBLAS
// 0.3.21 goes by the CPU's model: it takes one that it does not know for an old one, without AVX-512.
std::string openblas_core();

}  // namespace lookupffn::bench
#endif
