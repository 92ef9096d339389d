// What would spoil measurements on this machine, asked before any are made.
#ifndef LOOKUPFFN_PREFLIGHT_H
#define LOOKUPFFN_PREFLIGHT_H

#include <string>
#include <vector>

#include "machine.h"

namespace lookupffn {

struct Preflight {
  double noise = 0;                   // how much a fixed loop's time varies: 90th percentile over median, minus 1
  std::vector<std::string> warnings;  // a line each: what is wrong and what to do about it
};

// Takes about 0.2 s. `threads`: that the kernels will run on.
Preflight check_machine(const Machine& machine, int threads);

// The part that asks nothing: for tests. turbo is "" where not known, else "1" where frequencies are boosted.
std::vector<std::string> machine_warnings(const Machine& machine, int threads, const std::string& turbo, double noise);

}  // namespace lookupffn
#endif
