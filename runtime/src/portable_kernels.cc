#include "portable_kernels.h"

#include <cstring>

#include "failure.h"

namespace lookupffn {

bool portable_kernels_built_for(const char* isa) {
  for (uint32_t i = 0; i < lookupffn_portable_kernel_library.kernel_count; ++i) {
    if (std::strcmp(lookupffn_portable_kernel_library.kernels[i].isa, isa) == 0) return true;
  }
  return false;
}

const lookupffn_kernel& portable_kernel(const char* kernel, const char* isa, const std::string& problem,
                                        const char* batch_class) {
  for (uint32_t i = 0; i < lookupffn_portable_kernel_library.kernel_count; ++i) {
    const lookupffn_kernel& candidate = lookupffn_portable_kernel_library.kernels[i];
    if (std::strcmp(candidate.kernel, kernel) == 0 && std::strcmp(candidate.isa, isa) == 0 &&
        problem == candidate.problem && std::strcmp(candidate.batch_class, batch_class) == 0) {
      return candidate;
    }
  }
  throw Failure(LOOKUPFFN_INTERNAL, std::string("the library holds no portable kernel ") + kernel + " for " + isa + " (" +
                                        problem + ", batch class " + batch_class + ")");
}

}  // namespace lookupffn
