// The layers that the project tunes, measures and compares, by name: those of every family's workloads.def.
#ifndef LOOKUPFFN_WORKLOAD_H
#define LOOKUPFFN_WORKLOAD_H

#include <string>
#include <vector>

#include "compiler_family.h"

namespace lookupffn {

struct Workload {
  std::string name;
  LayerShape shape;
};

const std::vector<Workload>& workloads();

// A workload by its name, or a shape written as "d_in=512 tables=128 ..." (parse_layer_shape). Throws
// std::runtime_error with the names that there are.
LayerShape find_workload(const std::string& name);

}  // namespace lookupffn
#endif
