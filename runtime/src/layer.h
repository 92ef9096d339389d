// A packed layer: what lookupffn_layer stands for.
#ifndef LOOKUPFFN_LAYER_H
#define LOOKUPFFN_LAYER_H

#include <string>

#include "kernel_choice.h"
#include "lookupffn/lookupffn.h"
#include "packed_layer.h"
#include "scratch.h"

// Immutable but for the scratch pool, which locks.
struct lookupffn_layer {
  std::string prefix;
  lookupffn_shape shape;  // shape.prefix points to `prefix`
  const char* isa;
  lookupffn::PackedLayer packed;
  lookupffn::KernelChoice kernels;
  double pack_seconds;
  mutable lookupffn::ScratchPool scratch;
};

#endif
