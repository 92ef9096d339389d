#include "contender.h"
#include "native_build.h"

namespace lookupffn::bench {

ContenderKind plain_contender(decltype(ContenderKind::make) make) {
  const std::string name = "plain_loop", about = "whole layer, plain C++";
  if (make == nullptr) return left_out(name, about, "OpenMP for this compiler (libomp-dev)");
  return {name, about, ContenderKind::Computes::kLayer, {Part::kAll}, "f32", native_build_missing(), make};
}

}  // namespace lookupffn::bench
