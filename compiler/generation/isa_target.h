// What an ISA name means to Halide and to a schedule.
#ifndef LOOKUPFFN_ISA_TARGET_H
#define LOOKUPFFN_ISA_TARGET_H

#include <string>

#include "kernel_spec.h"

namespace lookupffn {

struct IsaTarget {
  std::string name;           // "avx512"
  std::string halide_target;  // "x86-64-linux-avx-...-no_asserts-no_bounds_query-no_runtime"
  int vector_bytes = 0;       // widest vector: 16, 32 or 64
  int vector_registers = 0;   // 16 or 32
};

// sanitizer: "", "address", "thread" or "undefined" (for which Halide has no instrumentation).
// Throws std::runtime_error for a name that is not known, with those that are.
IsaTarget isa_target(const std::string& name, const std::string& sanitizer = "");

// The Halide target for one kernel: its ISA's, with large_buffers where its family says that a buffer passes 2 GiB and
// the architecture can hold one.
std::string halide_target(const KernelSpec& spec, const std::string& sanitizer = "");

}  // namespace lookupffn
#endif
