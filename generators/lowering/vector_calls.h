// With Halide 19: how a kernel calls functions of ours (inlined_functions.h), one call a vector.
//
// Halide 14 links such functions in and calls NAMExN for a vector of N lanes. Halide 19 knows nothing of them: it calls NAME
// lane by lane. A pass of ours, the first that LLVM runs on the kernel, puts the functions in and one call in place of the
// calls of a vector.
#ifndef LOOKUPFFN_VECTOR_CALLS_H
#define LOOKUPFFN_VECTOR_CALLS_H

#include <llvm/IR/PassManager.h>

namespace lookupffn {

class VectorCalls : public llvm::PassInfoMixin<VectorCalls> {
 public:
  // Ends the program with a message where kernel_functions() are not valid.
  llvm::PreservedAnalyses run(llvm::Module& kernel, llvm::ModuleAnalysisManager& analyses);
};

}  // namespace lookupffn
#endif
