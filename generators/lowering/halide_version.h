// What differs between the Halides that the generators are built with: 14 (Debian 12) and 19 (Debian 13).
#ifndef LOOKUPFFN_HALIDE_VERSION_H
#define LOOKUPFFN_HALIDE_VERSION_H

#include <map>
#include <memory>
#include <string>

#include "Halide.h"

namespace lookupffn {

// Halide 14 does not tell its version.
#ifndef HALIDE_VERSION_MAJOR
#define HALIDE_VERSION_MAJOR 14
#endif

// Functions that a kernel calls, by a name that tells them from others. Halide 14 takes them as bitcode and calls their
// vector forms itself; Halide 19 has no place for them, and vector_calls.cc takes them as text.
#if HALIDE_VERSION_MAJOR < 15
using FunctionCode = Halide::ExternalCode;
#else
using FunctionCode = std::string;
#endif
using KernelFunctions = std::map<std::string, FunctionCode>;

#if HALIDE_VERSION_MAJOR >= 15
// Those of the kernel that this program generates.
std::shared_ptr<KernelFunctions> kernel_functions();

// A lowering pass for RISC-V. Halide calls instructions of RVV that widen or halve by themselves, with vectors as long as it
// takes registers for (kernel_cpu.h): in shorter registers lanes are lost. Here they are plain arithmetic again, as LLVM knows
// it.
class PlainArithmetic : public Halide::Internal::IRMutator {
 public:
  using Halide::Internal::IRMutator::mutate;
  Halide::Internal::Stmt mutate(const Halide::Internal::Stmt& stmt) override {
    return Halide::Internal::lower_intrinsics(stmt);
  }
};
#endif

// What a generator T derives from.
template <class T>
class KernelGenerator : public Halide::Generator<T> {
 protected:
  // What the kernel calls, for the generator to add to.
#if HALIDE_VERSION_MAJOR < 15
  std::shared_ptr<KernelFunctions> functions() { return this->get_externs_map(); }
#else
  std::shared_ptr<KernelFunctions> functions() { return kernel_functions(); }

  Halide::Pipeline build_pipeline() override {
    Halide::Pipeline pipeline = Halide::Generator<T>::build_pipeline();
    if (this->get_target().arch == Halide::Target::RISCV) pipeline.add_custom_lowering_pass(new PlainArithmetic);
    return pipeline;
  }
#endif
};

// A loop as `loop` is, with another body.
inline Halide::Internal::Stmt loop_with_body(const Halide::Internal::For* loop, const Halide::Internal::Stmt& body) {
  using Halide::Internal::For;
#if HALIDE_VERSION_MAJOR < 15
  return For::make(loop->name, loop->min, loop->extent, loop->for_type, loop->device_api, body);
#else
  return For::make(loop->name, loop->min, loop->extent, loop->for_type, loop->partition_policy, loop->device_api, body);
#endif
}

}  // namespace lookupffn
#endif
