// Where a kernel keeps what it has computed.
#ifndef LOOKUPFFN_STACK_STORAGE_H
#define LOOKUPFFN_STACK_STORAGE_H

#include "Halide.h"

namespace lookupffn {

// Halide takes what it is told to keep on the stack from the heap beyond 16 KB; what it is told to keep in registers, and
// has a constant size, always goes on the stack. So nothing allocates in a kernel.
inline void keep_on_stack(Halide::Func f) { f.store_in(Halide::MemoryType::Register); }

}  // namespace lookupffn
#endif
