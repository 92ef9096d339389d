// Functions in LLVM's intermediate language for generated kernels to call: instructions that Halide has no word for.
#ifndef LOOKUPFFN_INLINED_FUNCTIONS_H
#define LOOKUPFFN_INLINED_FUNCTIONS_H

#include <string>
#include <utility>

#include "Halide.h"
#include "halide_version.h"

namespace lookupffn {

// LLVM's spelling of an untyped pointer, and of its type as a suffix of an intrinsic's name.
std::string llvm_pointer();
std::string llvm_pointer_suffix();

// Functions, under a name that tells them from others: what a generator's functions() takes.
using InlinedFunctions = KernelFunctions::value_type;

// `source` defines the functions, each `weak_odr` and `alwaysinline`; a function of vectors of N lanes has the name of that of
// scalars and xN behind it. Throws std::runtime_error where it is not valid, or ends the program later (vector_calls.h).
InlinedFunctions inlined_functions(const Halide::Target& target, const std::string& name, const std::string& source);

}  // namespace lookupffn
#endif
