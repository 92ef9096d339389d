// Kernel libraries that the application registered or the tool loaded.
#ifndef LOOKUPFFN_KERNEL_REGISTRY_H
#define LOOKUPFFN_KERNEL_REGISTRY_H

#include <string>
#include <vector>

#include "lookupffn/kernels.h"

namespace lookupffn {

struct RegisteredKernel {
  const lookupffn_kernel* kernel = nullptr;           // NULL where there is none
  const lookupffn_kernel_library* library = nullptr;  // that holds it
};

// The kernels for a problem of all registered libraries, those of the latest first. Thread-safe.
std::vector<RegisteredKernel> registered_kernels(const char* kernel, const char* isa, const std::string& problem);

// The names of the registered libraries, for messages; "" where there is none.
std::string registered_library_names();

}  // namespace lookupffn
#endif
