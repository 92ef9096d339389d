// With Halide 19, for SVE2 and RVV: loads, stores and arithmetic of whole vectors, where Halide makes others of them.
//
// For Arm Halide cuts loads and stores into 16 bytes, for RISC-V it calls intrinsics with masks and lengths (llvm.vp.*), which
// LLVM neither simplifies nor keeps in registers across a loop. This pass of LLVM's, before all others but vector_calls.h, puts
// one load or store in place of adjacent pieces, and plain instructions in place of intrinsics that leave no lane out.
#ifndef LOOKUPFFN_WHOLE_VECTORS_H
#define LOOKUPFFN_WHOLE_VECTORS_H

#include <llvm/IR/PassManager.h>

namespace lookupffn {

class WholeVectors : public llvm::PassInfoMixin<WholeVectors> {
 public:
  llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses);
};

}  // namespace lookupffn
#endif
