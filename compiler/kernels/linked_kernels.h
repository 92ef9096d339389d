// The archive and the module of a kernel library, for one architecture.
#ifndef LOOKUPFFN_LINKED_KERNELS_H
#define LOOKUPFFN_LINKED_KERNELS_H

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "architectures.h"
#include "kernel_table.h"

namespace lookupffn {

struct KernelsToLink {
  std::string library;  // its name, a C identifier
  Architecture architecture;
  std::vector<KernelTableEntry> entries;
  std::vector<std::string> objects;  // an entry's each, in their order
  std::string sanitizer;             // as for KernelLibraryRequest
};

struct LinkedKernels {
  uint64_t archive_bytes = 0, module_bytes = 0;  // 0: the architecture's programs load no modules
};

// Writes libLIBRARY.a, and libLIBRARY.so where the architecture's programs can load modules, to `folder`. What is made on the
// way goes to `work`. Both exist. Throws BuildCancelled where *cancelled (may be null) turns true, else std::runtime_error.
LinkedKernels link_kernels(const KernelsToLink& kernels, const std::string& work, const std::string& folder,
                           const std::atomic<bool>* cancelled);

}  // namespace lookupffn
#endif
