// The ISAs that kernels are compiled for: which this machine runs, and which is active.
#ifndef LOOKUPFFN_ISA_H
#define LOOKUPFFN_ISA_H

#include <cstddef>
#include <string>

#include "isas.h"

namespace lookupffn {

// What this CPU or operating system lacks for the ISA, "" where it runs it. Asked of the CPU and the system once.
const char* isa_missing(size_t index);

// Index of an ISA that is built in and runnable, for kernels to run on; NULL means the active one, or the next narrower where
// the operating system refuses its registers to this process. Asks for AMX's tiles where they are needed. Throws Failure
// (LOOKUPFFN_UNSUPPORTED_ISA) that says what is wrong with the name.
size_t require_isa(const char* name);

}  // namespace lookupffn
#endif
