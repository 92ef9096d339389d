#include "generic_kernels.h"

#include <cstring>

#include "failure.h"
#include "kernel_registry.h"

namespace lookupffn {

bool generic_kernels_built_for(const char* isa) {
  for (uint32_t i = 0; i < lookupffn_generic_kernel_library.kernel_count; ++i) {
    if (std::strcmp(lookupffn_generic_kernel_library.kernels[i].isa, isa) == 0) return true;
  }
  return false;
}

std::vector<const lookupffn_kernel*> generic_kernels(const char* kernel, const char* isa, const std::string& problem) {
  std::vector<const lookupffn_kernel*> found;
  for (uint32_t i = 0; i < lookupffn_generic_kernel_library.kernel_count; ++i) {
    const lookupffn_kernel& candidate = lookupffn_generic_kernel_library.kernels[i];
    if (std::strcmp(candidate.kernel, kernel) == 0 && std::strcmp(candidate.isa, isa) == 0 && problem == candidate.problem) {
      found.push_back(&candidate);
    }
  }
  if (!found.empty()) return found;
  throw Failure(LOOKUPFFN_INTERNAL,
                std::string("the library holds no generic kernel ") + kernel + " for " + isa + " (" + problem + ")");
}

const lookupffn_kernel& kernel_of_any_problem(const char* kernel, const char* isa) {
  const std::vector<RegisteredKernel> registered = registered_kernels(kernel, isa, "");
  return registered.empty() ? *generic_kernels(kernel, isa, "").front() : *registered.front().kernel;
}

}  // namespace lookupffn
