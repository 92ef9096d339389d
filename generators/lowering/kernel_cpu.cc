#include "kernel_cpu.h"

#include <string>
#include <utility>
#include <vector>

namespace lookupffn {
namespace {

const std::vector<std::pair<std::string, std::string>> kCooperLake = {
#if HALIDE_VERSION_MAJOR < 15
    {"halide_mcpu", "cooperlake"},
#else
    {"halide_mcpu_target", "cooperlake"},
    {"halide_mcpu_tune", "cooperlake"},
    // Halide 19 names VBMI2, BITALG and AVX-VNNI, too. These are those that Halide 14 names.
    {"halide_mattrs",
     "+fma,+f16c,+avx512f,+avx512cd,+avx512vl,+avx512bw,+avx512dq,+avx512ifma,+avx512vbmi,+avx512bf16,+avx512vnni,+amx-int8,"
     "+amx-bf16"},
#endif
};

}  // namespace

InlinedFunctions kernel_cpu(const Halide::Target& target) {
  std::string source;
  if (target.has_feature(Halide::Target::AVX512_SapphireRapids)) {
    // Halide keeps them in flags of the module; 4: this value of the flag overrides others.
    std::string names;
    int flags = 0;
    for (const auto& [flag, value] : kCooperLake) {
      names += (flags > 0 ? ", !" : "!") + std::to_string(flags);
      source += "!" + std::to_string(flags++) + " = !{i32 4, !\"" + flag + "\", !\"" + value + "\"}\n";
    }
    source += "!llvm.module.flags = !{" + names + "}\n";
  }
  return inlined_functions(target, "lookupffn_kernel_cpu", source);
}

}  // namespace lookupffn
