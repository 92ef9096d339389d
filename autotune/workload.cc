#include "workload.h"

#include <stdexcept>

namespace lookupffn {

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = {
      {"small512_t128", parse_layer_shape("d_in=512 tables=128 bits=8 projection=bh4 block=64")},
      {"small512_t64", parse_layer_shape("d_in=512 tables=64 bits=8 projection=bh4 block=64")},
      {"small512_t64_dense", parse_layer_shape("d_in=512 tables=64 bits=8 projection=dense")},
      {"base768_t128", parse_layer_shape("d_in=768 tables=128 bits=8 projection=bh4 block=64")},
  };
  return all;
}

LayerShape find_workload(const std::string& name) {
  std::string names;
  for (const Workload& workload : workloads()) {
    if (workload.name == name) return workload.shape;
    names += (names.empty() ? "" : ", ") + workload.name;
  }
  if (name.find('=') != std::string::npos) return parse_layer_shape(name);
  throw std::runtime_error(
      "there is no workload '" + name + "': it is one of " + names +
      ", or a shape as \"d_in=512 d_out=512 tables=128 bits=8 projection=bh4 block=64\"");
}

}  // namespace lookupffn
