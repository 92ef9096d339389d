// A wrong alignment that Halide 14 gives some loads, put right.
#ifndef LOOKUPFFN_LOAD_ALIGNMENT_H
#define LOOKUPFFN_LOAD_ALIGNMENT_H

#include "Halide.h"

namespace lookupffn {

// A lowering pass. Halide 14 loads every 2nd to 4th element as whole vectors from the multiple of that stride below the
// first element. Where the index is a constant and no such multiple, it takes them for vectors at aligned addresses, and
// the instruction for those faults. This pass tells it less: the alignment modulo kKnown elements.
class LoadAlignment : public Halide::Internal::IRMutator {
 public:
  static constexpr int kKnown = 64;

 private:
  using Halide::Internal::IRMutator::visit;
  Halide::Expr visit(const Halide::Internal::Load* load) override;
};

}  // namespace lookupffn
#endif
