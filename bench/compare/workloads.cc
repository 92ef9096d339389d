#include "workloads.h"

#include <stdexcept>

#include "compiler_family.h"
#include "shape_fields.h"
#include "tensor_limits.h"
#include "weight_types.h"
#include "workload.h"

#ifdef LOOKUPFFN_WORKLOAD_KERNELS
#include <workload_kernels.h>
#endif

namespace lookupffn::bench {

const char* name_of(Part part) { return part == Part::kAll ? "all" : part == Part::kHash ? "hash" : "gather"; }

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = [] {
    std::vector<Workload> list;
    for (const auto& [name, shape] : lookupffn::workloads()) {
      if (shape.family != LayerShape().family) continue;
      list.push_back({name, shape, size_t(shape.d_in), size_t(shape.tables), size_t(shape.bits),
                      shape.projection == projection_name(LOOKUPFFN_BH4) ? LOOKUPFFN_BH4 : LOOKUPFFN_DENSE,
                      size_t(shape.block)});
    }
    return list;
  }();
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

size_t Workload::padded() const { return power_of_two_from(d); }

size_t Workload::repeats() const { return size_t(shape.repeats); }

double Workload::hash_flops() const { return layer_work({shape}).addresser.flops; }

double Workload::gather_flops() const { return layer_work({shape}).retriever.flops; }

double Workload::projection_bytes(lookupffn_type type) const {
  return layer_work({shape, "f32", weight_type(type).name}).addresser.weight_bytes;
}

double Workload::row_bytes_a_token(lookupffn_type type) const {
  return layer_work({shape, weight_type(type).name, "f32"}).retriever.row_bytes;
}

Work Workload::dense_ffn(const std::string& weight_type) const { return dense_ffn_work(shape, weight_type); }

lookupffn_status register_workload_kernels() {
#ifdef LOOKUPFFN_WORKLOAD_KERNELS
  return workload_kernels_register();
#else
  return LOOKUPFFN_OK;
#endif
}

}  // namespace lookupffn::bench
