#include "kernel_cpu.h"

#include <string>
#include <utility>
#include <vector>

namespace lookupffn {
namespace {

using Halide::Target;

// Flags of the module, where Halide keeps what it tells LLVM: name and value, in LLVM's words.
using Flags = std::vector<std::pair<std::string, std::string>>;

std::string quoted(const std::string& text) { return "!\"" + text + "\""; }

#if HALIDE_VERSION_MAJOR < 15

Flags flags_of(const Target& target) {
  if (target.has_feature(Target::AVX512_SapphireRapids)) return {{"halide_mcpu", quoted("cooperlake")}};
  return {};
}

#else

constexpr int kNoScalableVectors = 65536;  // vector_bits

// LLVM counts a register of SVE in 128 bits and one of RVV in 64.
Flags vectors_of_any_length(const std::string& features, int least_units) {
  return {{"halide_mattrs", quoted(features)}, {"lookupffn_least_vscale", "i32 " + std::to_string(least_units)}};
}

Flags flags_of(const Target& target) {
  if (target.has_feature(Target::AVX512_SapphireRapids)) {
    return {{"halide_mcpu_target", quoted("cooperlake")},
            {"halide_mcpu_tune", quoted("cooperlake")},
            // Halide 19 names VBMI2, BITALG and AVX-VNNI, too. These are those that Halide 14 names.
            {"halide_mattrs", quoted("+fma,+f16c,+avx512f,+avx512cd,+avx512vl,+avx512bw,+avx512dq,+avx512ifma,+avx512vbmi,"
                                     "+avx512bf16,+avx512vnni,+amx-int8,+amx-bf16")}};
  }
  if (target.arch == Target::ARM && target.vector_bits > 0) {
    return vectors_of_any_length("+dotprod,+sve2", target.vector_bits / 128);
  }
  if (target.arch == Target::RISCV && target.vector_bits == kNoScalableVectors) {
    return vectors_of_any_length("+m,+a,+f,+d,+c,+v", 2);
  }
  return {};
}

#endif

}  // namespace

InlinedFunctions kernel_cpu(const Target& target) {
  std::string source, names;
  int count = 0;
  for (const auto& [flag, value] : flags_of(target)) {
    names += (count > 0 ? ", !" : "!") + std::to_string(count);
    // 4: this value of the flag overrides others.
    source += "!" + std::to_string(count++) + " = !{i32 4, !\"" + flag + "\", " + value + "}\n";
  }
  if (count > 0) source += "!llvm.module.flags = !{" + names + "}\n";
  return inlined_functions(target, "lookupffn_kernel_cpu", source);
}

int vector_lanes(const Target& target) {
#if HALIDE_VERSION_MAJOR >= 15
  if (target.arch == Target::ARM && target.vector_bits > 0) return target.vector_bits / 32;
  if (target.arch == Target::RISCV && target.vector_bits == kNoScalableVectors) return 4;
#endif
  return target.natural_vector_size<float>();
}

}  // namespace lookupffn
