# What Debian's cross compilers have in common; for toolchain files, which set lookupffn_triple.
set(CMAKE_C_COMPILER ${lookupffn_triple}-gcc)
set(CMAKE_CXX_COMPILER ${lookupffn_triple}-g++)
# Debian's packages of the target (libfoo-dev:arm64) are in folders of its triple; headers and CMake packages without code are
# everybody's.
set(CMAKE_LIBRARY_ARCHITECTURE ${lookupffn_triple})
string(REGEX REPLACE "-.*" "" lookupffn_emulated ${lookupffn_triple})
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${lookupffn_emulated};-L;/usr/${lookupffn_triple} CACHE STRING "Runs the target's programs")
