// The CPU whose instructions LLVM may use, where Halide means more than an ISA of ours has.
#ifndef LOOKUPFFN_KERNEL_CPU_H
#define LOOKUPFFN_KERNEL_CPU_H

#include "Halide.h"
#include "inlined_functions.h"

namespace lookupffn {

// For every generator's functions. Halide's feature for BF16 and VNNI, AVX512_SapphireRapids, makes LLVM compile for that
// CPU, which has AVX512-FP16, too: others with BF16 and VNNI (Zen 4, Cooper Lake) end at its VMOVW with SIGILL. Here LLVM is
// told Cooper Lake, and what Halide names besides.
InlinedFunctions kernel_cpu(const Halide::Target& target);

}  // namespace lookupffn
#endif
