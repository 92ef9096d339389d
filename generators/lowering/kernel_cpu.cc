#include "kernel_cpu.h"

#include <string>

namespace lookupffn {

InlinedFunctions kernel_cpu(const Halide::Target& target) {
  // Halide keeps the CPU's name in a flag of the module; 4: this value of the flag overrides others.
  const std::string cooper_lake = "!llvm.module.flags = !{!0}\n!0 = !{i32 4, !\"halide_mcpu\", !\"cooperlake\"}\n";
  const bool beyond = target.has_feature(Halide::Target::AVX512_SapphireRapids);
  return inlined_functions(target, "lookupffn_kernel_cpu", beyond ? cooper_lake : "");
}

}  // namespace lookupffn
