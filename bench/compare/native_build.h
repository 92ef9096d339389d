// Some contenders are compiled with -march=native, and must not be called on a machine that lacks what the
// machine they were built on has.
#ifndef LOOKUPFFN_BENCH_NATIVE_BUILD_H
#define LOOKUPFFN_BENCH_NATIVE_BUILD_H

#include <string>

namespace lookupffn::bench {

// "" where this CPU has every feature (a word of /proc/cpuinfo's flags) of the CPU that this was configured
// on, else a sentence that says what is missing.
std::string native_build_missing();

}  // namespace lookupffn::bench
#endif
