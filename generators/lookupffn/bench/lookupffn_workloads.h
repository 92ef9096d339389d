// The LookupFFN layers that benchmarks run, by name (generators/lookupffn/workloads.def).
#ifndef LOOKUPFFN_BENCH_LOOKUPFFN_WORKLOADS_H
#define LOOKUPFFN_BENCH_LOOKUPFFN_WORKLOADS_H

#include <cstddef>
#include <string>
#include <vector>

#include "layer_shape.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn::bench {

struct Workload {
  Workload() = default;
  Workload(std::string name, const LayerShape& shape);

  std::string name;
  LayerShape shape;
  size_t d = 0, d_out = 0;  // d: d_in
  size_t tables = 0;
  size_t bits = 0;
  lookupffn_projection projection = LOOKUPFFN_DENSE;
  size_t block = 0;  // BH4; dense: 0

  size_t rows() const { return size_t{1} << bits; }
  size_t padded() const;   // d rounded up to a power of two
  size_t repeats() const;  // BH4 blocks' repeats; dense: 0
};

const std::vector<Workload>& workloads();

// Throws std::invalid_argument, with the names that there are.
const Workload& find_workload(const std::string& name);

}  // namespace lookupffn::bench
#endif
