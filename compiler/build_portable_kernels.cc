// Build-time program: the portable kernels of the runtime.
//   build_portable_kernels GENERATOR SCHEDULES_DIR OUT_DIR JOBS SANITIZER|none ISA...
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "portable_kernel_library.h"

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: %s GENERATOR SCHEDULES_DIR OUT_DIR JOBS SANITIZER|none ISA...\n", argv[0]);
    return 2;
  }
  lookupffn::PortableKernelBuild build;
  build.generator = argv[1];
  build.schedules_dir = argv[2];
  build.out_dir = argv[3];
  build.jobs = std::max(1, std::atoi(argv[4]));
  if (std::string(argv[5]) != "none") build.sanitizer = argv[5];
  build.isas.assign(argv + 6, argv + argc);
  try {
    lookupffn::build_portable_kernels(build);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "build_portable_kernels: %s\n", error.what());
    return 1;
  }
  return 0;
}
