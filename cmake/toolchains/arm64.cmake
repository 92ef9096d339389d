# For 64-bit Arm, with Debian's cross compiler: `apt install g++-aarch64-linux-gnu`.
#   cmake -DCMAKE_TOOLCHAIN_FILE=.../arm64.cmake ...
# Programs run under qemu where CMake or CTest runs them: `apt install qemu-user`.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(lookupffn_triple aarch64-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
