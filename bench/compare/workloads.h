// The layers that benchmarks run, by name.
#ifndef LOOKUPFFN_BENCH_WORKLOADS_H
#define LOOKUPFFN_BENCH_WORKLOADS_H

#include <cstddef>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.h"

namespace lookupffn::bench {

struct Workload {
  std::string name;
  size_t d;  // d_in = d_out
  size_t tables;
  size_t bits;
  lookupffn_projection projection;
  size_t block;  // BH4; dense: 0

  size_t rows() const { return size_t{1} << bits; }
  size_t padded() const;   // d rounded up to a power of two
  size_t repeats() const;  // BH4 blocks' repeats; dense: 0

  // Products of the formula for one token, two flops each; what padding would add is not counted.
  double hash_flops() const;
  double gather_flops() const;
  double dense_ffn_flops() const;  // d -> 4 d -> d

  // Weights that the formula reads, `element_bytes` each: projection weights once a call, table rows (and a
  // scale a row where elements are no larger than bytes) once a token.
  double projection_bytes(double element_bytes) const;
  double row_bytes_a_token(double element_bytes) const;
  double dense_ffn_bytes(size_t element_bytes) const;
};

const std::vector<Workload>& workloads();

// Throws std::invalid_argument, with the names that there are.
const Workload& find_workload(const std::string& name);

// Registers the kernels that were made for the workloads' shapes when the benchmarks were built, if any were.
lookupffn_status register_workload_kernels();

}  // namespace lookupffn::bench
#endif
