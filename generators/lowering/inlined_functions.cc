#include "inlined_functions.h"

#if HALIDE_VERSION_MAJOR >= 15

namespace lookupffn {

std::string llvm_pointer() { return "ptr"; }
std::string llvm_pointer_suffix() { return "p0"; }

InlinedFunctions inlined_functions(const Halide::Target&, const std::string& name, const std::string& source) {
  return {name, source};
}

}  // namespace lookupffn

#else
#include <llvm-c/BitWriter.h>
#include <llvm-c/Core.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "architectures.h"

namespace lookupffn {
namespace {

// The row that a Halide target belongs to.
const ArchitectureRow& architecture_of(const Halide::Target& target) {
  const std::string text = target.to_string();
  for (const ArchitectureRow& row : kArchitectures) {
    if (text.rfind(row.halide_target, 0) == 0) return row;
  }
  throw std::runtime_error("registry/architectures.def has no row for the Halide target " + text);
}

// Halide warns where a module's layout is not that of the kernel that it is linked to.
void set_layout(LLVMModuleRef module, const char* triple) {
  LLVMInitializeAllTargetInfos();
  LLVMInitializeAllTargets();
  LLVMInitializeAllTargetMCs();
  LLVMTargetRef target = nullptr;
  char* error = nullptr;
  if (LLVMGetTargetFromTriple(triple, &target, &error) != 0) {
    const std::string reason = error;
    LLVMDisposeMessage(error);
    throw std::runtime_error("LLVM has no target " + std::string(triple) + ": " + reason);
  }
  LLVMTargetMachineRef machine =
      LLVMCreateTargetMachine(target, triple, "", "", LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelDefault);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
  LLVMSetModuleDataLayout(module, layout);
  LLVMSetTarget(module, triple);
  LLVMDisposeTargetData(layout);
  LLVMDisposeTargetMachine(machine);
}

}  // namespace

std::string llvm_pointer() { return "i8*"; }
std::string llvm_pointer_suffix() { return "p0i8"; }

InlinedFunctions inlined_functions(const Halide::Target& target, const std::string& name, const std::string& source) {
  LLVMContextRef context = LLVMContextCreate();
  LLVMMemoryBufferRef text = LLVMCreateMemoryBufferWithMemoryRangeCopy(source.data(), source.size(), name.c_str());
  LLVMModuleRef module = nullptr;
  char* error = nullptr;
  if (LLVMParseIRInContext(context, text, &module, &error)) {
    throw std::runtime_error(name + " is no LLVM IR: " + error);
  }
  set_layout(module, architecture_of(target).llvm_triple);
  LLVMMemoryBufferRef bitcode = LLVMWriteBitcodeToMemoryBuffer(module);
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(LLVMGetBufferStart(bitcode));
  const std::vector<uint8_t> code(bytes, bytes + LLVMGetBufferSize(bitcode));
  LLVMDisposeMemoryBuffer(bitcode);
  LLVMDisposeModule(module);
  LLVMContextDispose(context);
  return {name, Halide::ExternalCode::bitcode_wrapper(target, code, name)};
}

}  // namespace lookupffn
#endif
