// The registry of architectures: one row each in architectures.def. Header only, plain data: the runtime, the compiler, the
// generators and the tool read it; CMake reads the rows by itself (cmake/LookupffnRegistry.cmake).
#ifndef LOOKUPFFN_REGISTRY_ARCHITECTURES_H
#define LOOKUPFFN_REGISTRY_ARCHITECTURES_H

namespace lookupffn {

enum Architecture {
#define LOOKUPFFN_ARCHITECTURE(id, name, processors, bits, modules, halide, llvm_triple, triple, compiler, archiver, package, \
                               emulator)                                                                                      \
  id,
#include "architectures.def"
#undef LOOKUPFFN_ARCHITECTURE
};

struct ArchitectureRow {
  Architecture architecture;
  const char* name;
  const char* processors;        // what CMAKE_SYSTEM_PROCESSOR may call it, joined by ' '
  int pointer_bits;              // of an address
  bool modules;                  // its programs can load modules while they run (dlopen)
  const char* halide_target;     // of a Halide target: architecture, bits and operating system
  const char* llvm_triple;       // as Halide spells it
  const char* triple;            // as GNU and Debian spell it: cross compilers, folders of libraries
  const char* compiler;          // for C, on a machine of another architecture
  const char* archiver;          // likewise
  const char* compiler_package;  // of Debian, that both are in
  const char* emulator;          // runs its programs on a machine of another architecture; words joined by ' '
};

inline constexpr ArchitectureRow kArchitectures[] = {
#define LOOKUPFFN_ARCHITECTURE(id, name, processors, bits, modules, halide, llvm_triple, triple, compiler, archiver, package, \
                               emulator)                                                                                      \
  {id, #name, processors, bits, modules, halide, llvm_triple, triple, compiler, archiver, package, emulator},
#include "architectures.def"
#undef LOOKUPFFN_ARCHITECTURE
};

inline constexpr const ArchitectureRow& architecture_row(Architecture architecture) { return kArchitectures[architecture]; }

// What this code is compiled for. The one place that asks the compiler.
inline constexpr Architecture kThisArchitecture =
#if defined(__x86_64__)
    kX86_64;
#elif defined(__aarch64__)
    kArm64;
#elif defined(__riscv) && __riscv_xlen == 64
    kRiscv64;
#elif defined(__wasm32__)
    kWasm32;
#else
#error "no row of registry/architectures.def is for this compiler's target"
#endif

}  // namespace lookupffn
#endif
