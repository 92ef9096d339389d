#include "isa_target.h"

#include <stdexcept>

#include "isas.h"
#include "kernel_description.h"

namespace lookupffn {
IsaTarget isa_target(const std::string& name, const std::string& sanitizer) {
  std::string instrumentation;
  if (sanitizer == "address") {
    instrumentation = "-asan";
  } else if (sanitizer == "thread") {
    instrumentation = "-tsan";
  } else if (!sanitizer.empty() && sanitizer != "undefined") {
    throw std::runtime_error("unknown sanitizer '" + sanitizer + "'; there are address, thread and undefined");
  }
  const IsaRow& isa = isa_row(name);
  // Every feature is spelled out: Halide 14 and later differ in which imply which.
  std::string features;
  for (const IsaRow* row : isa_lineage(isa)) features += (*row->halide_features ? "-" : "") + std::string(row->halide_features);
  return {isa.name,
          std::string(architecture_row(isa.architecture).halide_target) + features + instrumentation +
              "-no_asserts-no_bounds_query-no_runtime",
          isa.vector_bytes, isa.vector_registers};
}

std::string halide_target(const KernelSpec& spec, const std::string& sanitizer) {
  std::string target = isa_target(spec.isa, sanitizer).halide_target;
  if (architecture_row(isa_row(spec.isa).architecture).pointer_bits < 64) return target;  // no buffer is that large
  const KernelDescription* kernel = find_kernel_description(spec);
  if (kernel && kernel->large_buffers && kernel->large_buffers(spec)) target += "-large_buffers";
  return target;
}

}  // namespace lookupffn
