#include "workloads.h"

#include <stdexcept>

#ifdef LOOKUPFFN_WORKLOAD_KERNELS
#include <workload_kernels.h>
#endif

namespace lookupffn::bench {

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = {
      {"small512_t128", 512, 128, 8, LOOKUPFFN_BH4, 64},  // the published model
      {"small512_t64", 512, 64, 8, LOOKUPFFN_BH4, 64},
      {"small512_t64_dense", 512, 64, 8, LOOKUPFFN_DENSE, 0},
      {"base768_t128", 768, 128, 8, LOOKUPFFN_BH4, 64},  // padded to 1024
  };
  return all;
}

const Workload& find_workload(const std::string& name) {
  std::string names;
  for (const Workload& workload : workloads()) {
    if (workload.name == name) return workload;
    names += (names.empty() ? "" : ", ") + workload.name;
  }
  throw std::invalid_argument("unknown workload '" + name + "'; there are " + names);
}

size_t Workload::padded() const {
  size_t p = 1;
  while (p < d) p *= 2;
  return p;
}

size_t Workload::repeats() const {
  return projection == LOOKUPFFN_BH4 ? (tables * bits + padded() - 1) / padded() : 0;
}

double Workload::hash_flops() const {
  if (projection == LOOKUPFFN_DENSE) return 2.0 * d * tables * bits;
  // The first stage's products with the zeros that pad its input are left out.
  return 2.0 * repeats() * block * (d + 3 * padded());
}

double Workload::gather_flops() const { return 2.0 * tables * d; }

double Workload::dense_ffn_flops() const { return 2.0 * 2 * d * 4 * d; }

double Workload::projection_bytes(double element_bytes) const {
  return hash_flops() / 2 * element_bytes;  // each weight is used in one product a token
}

double Workload::row_bytes_a_token(double element_bytes) const {
  return static_cast<double>(tables) * (d * element_bytes + (element_bytes <= 1 ? sizeof(float) : 0));
}

double Workload::dense_ffn_bytes(size_t element_bytes) const { return 2.0 * d * 4 * d * element_bytes; }

lookupffn_status register_workload_kernels() {
#ifdef LOOKUPFFN_WORKLOAD_KERNELS
  return workload_kernels_register();
#else
  return LOOKUPFFN_OK;
#endif
}

}  // namespace lookupffn::bench
