#include "lookupffn_workloads.h"

#include <stdexcept>
#include <utility>

#include "shape_fields.h"
#include "tensor_limits.h"
#include "workload.h"

namespace lookupffn::bench {

Workload::Workload(std::string name_, const LayerShape& shape_)
    : name(std::move(name_)),
      shape(shape_),
      d(size_t(shape_.d_in)),
      d_out(size_t(shape_.d_out)),
      tables(size_t(shape_.tables)),
      bits(size_t(shape_.bits)),
      projection(shape_.projection == projection_name(LOOKUPFFN_BH4) ? LOOKUPFFN_BH4 : LOOKUPFFN_DENSE),
      block(size_t(shape_.block)) {}

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = [] {
    std::vector<Workload> list;
    for (const auto& [name, shape] : lookupffn::workloads()) {
      if (shape.family != LayerShape().family) continue;
      list.emplace_back(name, shape);
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

}  // namespace lookupffn::bench
