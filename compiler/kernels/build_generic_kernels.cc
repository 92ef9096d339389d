// Build-time program: the generic kernels of the runtime.
//   build_generic_kernels GENERATOR SCHEDULES_DIR OUT_DIR JOBS SANITIZER|none ISA...
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "generic_kernel_library.h"

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: %s GENERATOR SCHEDULES_DIR OUT_DIR JOBS SANITIZER|none ISA...\n", argv[0]);
    return 2;
  }
  lookupffn::GenericKernelBuild build;
  build.generator = argv[1];
  build.schedules_dir = argv[2];
  build.out_dir = argv[3];
  build.jobs = std::max(1, std::atoi(argv[4]));
  if (std::string(argv[5]) != "none") build.sanitizer = argv[5];
  build.isas.assign(argv + 6, argv + argc);
  try {
    lookupffn::build_generic_kernels(build);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "build_generic_kernels: %s\n", error.what());
    return 1;
  }
  return 0;
}
