// Which kernels a packed layer runs on, with the tiles that their schedules name.
#ifndef LOOKUPFFN_KERNEL_CHOICE_H
#define LOOKUPFFN_KERNEL_CHOICE_H

#include <cstddef>
#include <string>
#include <vector>

#include "generic_hash.h"
#include "layer.h"
#include "lookupffn/kernels.h"
#include "lookupffn/lookupffn.h"
#include "packed_shape.h"
#include "token_ranges.h"

namespace lookupffn {

// A specialised hash kernel of one HashCall: hashes exactly token_tile tokens.
struct HashKernel {
  const lookupffn_kernel* kernel = nullptr;
  size_t token_tile = 0;
};

struct GatherKernel {
  const lookupffn_kernel* kernel = nullptr;
  size_t d_tile = 0;         // it computes a multiple of so many floats of y
  bool over_slices = false;  // threads share out d_out rather than tokens
};

// What gathers a row of y.
struct GatherKernels {
  GatherKernel wide, rest;  // rest: what is left of a row beyond a multiple of wide's d_tile
};

struct KernelChoice : KernelSet {
  bool specialised_hash = false, specialised_gather = false;
  TokenRanges<std::vector<HashKernel>> hash;  // one of each of shape.calls, where specialised; the first range has a tile of 1
  std::vector<HashKernel> shared_hash;  // one of each of shape.shared_calls, tile 1, or empty: a token is hashed by one thread
  size_t fill_from = 0;                 // so many tokens are hashed as one tile of the second range, fewer one by one
  GenericHash generic_hash;             // where not
  TokenRanges<GatherKernels> gather;
};

// Throws Failure (LOOKUPFFN_NO_KERNEL) where specialised kernels are required and missing.
KernelChoice choose_kernels(const PackedShape& shape, const char* isa, lookupffn_type table_type,
                            lookupffn_type projection_type, lookupffn_kernels wanted);

}  // namespace lookupffn
#endif
