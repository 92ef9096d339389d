// Functions in LLVM's intermediate language for generated kernels to call: instructions that Halide has no word for.
#ifndef LOOKUPFFN_INLINED_FUNCTIONS_H
#define LOOKUPFFN_INLINED_FUNCTIONS_H

#include <string>
#include <utility>

#include "Halide.h"

namespace lookupffn {

// LLVM's spelling of an untyped pointer, and of its type as a suffix of an intrinsic's name.
std::string llvm_pointer();
std::string llvm_pointer_suffix();

// What a generator's externs map takes: functions, under a name that tells them from others.
using InlinedFunctions = std::pair<const std::string, Halide::ExternalCode>;

// `source` defines the functions, each `weak_odr` and `alwaysinline`. Throws std::runtime_error where it is not valid.
InlinedFunctions inlined_functions(const Halide::Target& target, const std::string& name, const std::string& source);

}  // namespace lookupffn
#endif
