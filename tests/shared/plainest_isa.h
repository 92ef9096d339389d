// The ISA of an architecture that all its CPUs have: for tests that want any ISA that runs here.
#ifndef LOOKUPFFN_TESTS_PLAINEST_ISA_H
#define LOOKUPFFN_TESTS_PLAINEST_ISA_H

#include <algorithm>
#include <iterator>
#include <string>

#include "isas.h"

namespace lookupffn {

// The architecture's first row.
inline std::string plainest_isa(Architecture architecture) {
  return std::find_if(std::begin(kIsas), std::end(kIsas), [&](const IsaRow& isa) { return isa.architecture == architecture; })
      ->name;
}

}  // namespace lookupffn
#endif
