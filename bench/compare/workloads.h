// The LookupFFN layers that benchmarks run, by name (generators/lookupffn/workloads.def).
#ifndef LOOKUPFFN_BENCH_WORKLOADS_H
#define LOOKUPFFN_BENCH_WORKLOADS_H

#include <cstddef>
#include <string>
#include <vector>

#include "kernel_description.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn::bench {

// What is timed of a layer.
enum class Part { kAll, kHash, kGather };
const char* name_of(Part part);  // "all", "hash", "gather"

struct Workload {
  std::string name;
  LayerShape shape;
  size_t d;  // d_in = d_out
  size_t tables;
  size_t bits;
  lookupffn_projection projection;
  size_t block;  // BH4; dense: 0

  size_t rows() const { return size_t{1} << bits; }
  size_t padded() const;   // d rounded up to a power of two
  size_t repeats() const;  // BH4 blocks' repeats; dense: 0

  // For one token, as the family counts them: see Work.
  double hash_flops() const;
  double gather_flops() const;
  double projection_bytes(lookupffn_type type) const;  // once a call
  double row_bytes_a_token(lookupffn_type type) const;

  // Of the dense FFN of this width, with weights of a type.
  Work dense_ffn(const std::string& weight_type = "f32") const;
};

const std::vector<Workload>& workloads();

// Throws std::invalid_argument, with the names that there are.
const Workload& find_workload(const std::string& name);

// Registers the kernels that were made for the workloads' shapes when the benchmarks were built, if any were.
lookupffn_status register_workload_kernels();

}  // namespace lookupffn::bench
#endif
