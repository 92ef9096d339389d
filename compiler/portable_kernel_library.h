// The portable kernels that are built into the runtime, from schedules/portable.json.
#ifndef LOOKUPFFN_PORTABLE_KERNEL_LIBRARY_H
#define LOOKUPFFN_PORTABLE_KERNEL_LIBRARY_H

#include <string>
#include <vector>

namespace lookupffn {

struct PortableKernelBuild {
  std::string generator;      // the generator program
  std::string schedules_dir;  // holds portable.json
  std::vector<std::string> isas;
  std::string sanitizer;  // "" or as for isa_target
  std::string out_dir;    // exists
  int jobs = 1;
};

// Writes out_dir/portable_kernels.o (all kernels) and out_dir/portable_kernels.c (the table, named
// lookupffn_portable_kernel_library). Throws std::runtime_error with one line.
void build_portable_kernels(const PortableKernelBuild& build);

}  // namespace lookupffn
#endif
