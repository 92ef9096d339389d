// The generic kernels that are built into the runtime, from each family's generic.json.
#ifndef LOOKUPFFN_GENERIC_KERNEL_LIBRARY_H
#define LOOKUPFFN_GENERIC_KERNEL_LIBRARY_H

#include <string>
#include <vector>

namespace lookupffn {

struct GenericKernelBuild {
  std::string generator;          // the generator program
  std::string schedules_dir;      // of the source tree: see space_folders()
  std::vector<std::string> isas;  // of one architecture
  std::string sanitizer;          // "" or as for isa_target
  std::string out_dir;            // exists
  int jobs = 1;
};

// Writes out_dir/generic_kernels.o (all kernels) and out_dir/generic_kernels.c (the table, named
// lookupffn_generic_kernel_library). Throws std::runtime_error with one line.
void build_generic_kernels(const GenericKernelBuild& build);

}  // namespace lookupffn
#endif
