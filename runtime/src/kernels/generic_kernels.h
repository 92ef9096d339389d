// The generic kernels that are built into the library, for every ISA of the build.
#ifndef LOOKUPFFN_GENERIC_KERNELS_H
#define LOOKUPFFN_GENERIC_KERNELS_H

#include <string>
#include <vector>

#include "lookupffn/kernels.h"

// Written by the build from each family's generic.json.
extern "C" const lookupffn_kernel_library lookupffn_generic_kernel_library;

namespace lookupffn {

bool generic_kernels_built_for(const char* isa);

// The kernels of a generator and problem ("" or a type, as in lookupffn/kernels.h) for an ISA, at least one. Throws Failure
// (LOOKUPFFN_INTERNAL) where there is none in the library.
std::vector<const lookupffn_kernel*> generic_kernels(const char* kernel, const char* isa, const std::string& problem);

// The kernel of a generator that knows of no problem: the latest that is registered, else the library's. Throws likewise.
const lookupffn_kernel& kernel_of_any_problem(const char* kernel, const char* isa);

}  // namespace lookupffn
#endif
