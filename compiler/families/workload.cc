#include "workload.h"

#include <stdexcept>

namespace lookupffn {

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = [] {
    std::vector<Workload> list;
    for (const CompilerFamily* family : compiler_families()) {
      for (const auto& [name, shape] : family->workloads) list.push_back({name, parse_layer_shape(shape)});
    }
    return list;
  }();
  return all;
}

LayerShape find_workload(const std::string& name) {
  std::string names;
  for (const Workload& workload : workloads()) {
    if (workload.name == name) return workload.shape;
    names += (names.empty() ? "" : ", ") + workload.name;
  }
  if (name.find('=') != std::string::npos) return parse_layer_shape(name);
  throw std::runtime_error("there is no workload '" + name + "': it is one of " + names +
                           ", or a shape as \"d_in=512 d_out=512 tables=128 bits=8 projection=bh4 block=64\"");
}

}  // namespace lookupffn
