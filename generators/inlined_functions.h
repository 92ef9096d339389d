// Functions in LLVM's intermediate language for generated kernels to call: instructions that Halide has no word for.
#ifndef LOOKUPFFN_INLINED_FUNCTIONS_H
#define LOOKUPFFN_INLINED_FUNCTIONS_H

#include <string>

#include "Halide.h"

namespace lookupffn {

// LLVM's spelling of an untyped pointer, and of its type as a suffix of an intrinsic's name.
std::string llvm_pointer();
std::string llvm_pointer_suffix();

// For a generator's externs map. `source` defines the functions, each `weak_odr` and `alwaysinline`; `name` tells it
// from other such code. Throws std::runtime_error where the source is not valid.
Halide::ExternalCode inlined_functions(const Halide::Target& target, const std::string& name, const std::string& source);

}  // namespace lookupffn
#endif
