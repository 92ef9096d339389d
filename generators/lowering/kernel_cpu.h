// The CPU whose instructions LLVM may use, and its vectors, where Halide means others than an ISA of ours.
#ifndef LOOKUPFFN_KERNEL_CPU_H
#define LOOKUPFFN_KERNEL_CPU_H

#include "Halide.h"
#include "inlined_functions.h"

namespace lookupffn {

// For every generator's functions.
//
// AVX512_SapphireRapids, Halide's feature for BF16 and VNNI, makes LLVM compile for that CPU, which has AVX512-FP16, too:
// others with BF16 and VNNI (Zen 4, Cooper Lake) end at its VMOVW with SIGILL. Here LLVM is told Cooper Lake, and what Halide
// names besides.
//
// SVE2 and RVV have vectors whose length a CPU chooses. Halide 19 makes code for one length, which computes wrong results at
// any other (github.com/halide/Halide/pull/8876), and fails where a vector has fewer lanes than it reckons with (issues 8119
// and 8455, pull/9084). So kernels have vectors of a fixed length, as on other ISAs, and LLVM is told the least length that a
// register has: the code is right at that length and at each greater one. For this, Halide must not know of them:
// - Arm: vector_bits_N without sve2, for Halide that is Neon. LLVM is told SVE2 with registers of N bits or more.
// - RISC-V: rvv-vector_bits_65536. For Halide, vectors are scalable whose lanes are a multiple of N / 64; none has so many.
//   LLVM is told V, whose registers have 128 bits or more.
InlinedFunctions kernel_cpu(const Halide::Target& target);

// Floats of a vector register of the ISA: where it has several lengths, of the least.
int vector_lanes(const Halide::Target& target);

}  // namespace lookupffn
#endif
