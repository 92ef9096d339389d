// Which kernels an embedding bag runs on.
#ifndef LOOKUPFFN_EMBEDDING_BAG_KERNELS_H
#define LOOKUPFFN_EMBEDDING_BAG_KERNELS_H

#include <cstddef>

#include "layer.h"
#include "lookupffn/kernels.h"

namespace lookupffn {

struct BagKernel {
  const lookupffn_kernel* kernel = nullptr;
  size_t d_tile = 0;  // it computes a multiple of so many floats of y
};

struct BagKernels : KernelSet {
  BagKernel wide, rest;  // rest: what is left of a row beyond a multiple of wide's d_tile
};

// Throws Failure (LOOKUPFFN_NO_KERNEL) where specialised kernels are required and missing.
std::unique_ptr<const BagKernels> choose_bag_kernels(size_t d_out, const char* isa, lookupffn_type table_type,
                                                     lookupffn_kernels wanted);

}  // namespace lookupffn
#endif
