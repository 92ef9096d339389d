// Which kernels a fast feed-forward layer runs on.
#ifndef LOOKUPFFN_FFF_KERNEL_CHOICE_H
#define LOOKUPFFN_FFF_KERNEL_CHOICE_H

#include "fff_shape.h"
#include "layer.h"
#include "lookupffn/kernels.h"
#include "token_ranges.h"

namespace lookupffn {

using KernelRanges = TokenRanges<const lookupffn_kernel*>;

struct FffKernels : KernelSet {
  KernelRanges descent;  // empty: level by level, with
  const lookupffn_kernel* level = nullptr;
  KernelRanges rows;            // nodes with rows
  KernelRanges hidden, output;  // leaves: their network's two products
};

// Throws Failure (LOOKUPFFN_NO_KERNEL) where specialised kernels are required and missing.
FffKernels choose_fff_kernels(const FffShape& shape, const char* isa, lookupffn_kernels wanted);

}  // namespace lookupffn
#endif
