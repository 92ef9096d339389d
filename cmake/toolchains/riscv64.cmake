# For 64-bit RISC-V, with Debian's cross compiler: `apt install g++-riscv64-linux-gnu`.
#   cmake -DCMAKE_TOOLCHAIN_FILE=.../riscv64.cmake ...
# Programs run under qemu where CMake or CTest runs them: `apt install qemu-user`.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(lookupffn_triple riscv64-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
