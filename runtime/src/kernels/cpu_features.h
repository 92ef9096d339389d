// What this CPU and this operating system can run, in the words of registry/isas.def.
#ifndef LOOKUPFFN_CPU_FEATURES_H
#define LOOKUPFFN_CPU_FEATURES_H

#include <string>

namespace lookupffn {

// Of features ("avx2 fma"), joined by ' ': what is missing to run code that uses them, "" where nothing is. Asks the CPU and
// the operating system, which has to save the registers. Thread-safe.
std::string missing_cpu_features(const std::string& features);

// ---- cpu_features_ARCHITECTURE.cc has the rest, for the architecture that is compiled for ----

enum class CpuAnswer { kHas, kLacks, kUnknown };  // unknown: this version has no way to ask

// Of one feature.
CpuAnswer cpu_answer(const std::string& feature);

// Of features that the CPU has: why the operating system does not let programs use them, "" where it does.
std::string missing_system_support(const std::string& features);

// Linux gives a process tile registers only when asked, for all its threads, those to come included. From then on their
// alternative signal stacks must have room for tiles: where one has not, Linux refuses, and this is false. So a process that
// does not use tiles is not to ask.
bool ask_for_tiles();

}  // namespace lookupffn
#endif
