// Calling a kernel.
#ifndef LOOKUPFFN_KERNEL_CALL_H
#define LOOKUPFFN_KERNEL_CALL_H

#include <string>

#include "failure.h"
#include "lookupffn/kernels.h"

namespace lookupffn {

// Throws Failure (LOOKUPFFN_INTERNAL) where the kernel reports an error.
inline void call_kernel(const lookupffn_kernel& kernel, void** arguments) {
  const int result = kernel.function(arguments);
  if (result != 0) {
    throw Failure(LOOKUPFFN_INTERNAL,
                  std::string("kernel ") + kernel.kernel + " (" + kernel.problem + ") failed with " + std::to_string(result));
  }
}

}  // namespace lookupffn
#endif
