// The portable kernels that are built into the library, for every ISA of the build.
#ifndef LOOKUPFFN_PORTABLE_KERNELS_H
#define LOOKUPFFN_PORTABLE_KERNELS_H

#include <string>

#include "lookupffn/kernels.h"

// Written by the build from schedules/portable.json.
extern "C" const lookupffn_kernel_library lookupffn_portable_kernel_library;

namespace lookupffn {

bool portable_kernels_built_for(const char* isa);

// The kernel of that generator and problem ("" or a type, as in lookupffn/kernels.h) for an ISA and a batch
// class. Throws Failure (LOOKUPFFN_INTERNAL) where it is not in the library.
const lookupffn_kernel& portable_kernel(const char* kernel, const char* isa, const std::string& problem,
                                        const char* batch_class);

}  // namespace lookupffn
#endif
