# What Debian's cross compilers have in common; for toolchain files, which set lookupffn_triple.
set(CMAKE_C_COMPILER ${lookupffn_triple}-gcc)
set(CMAKE_CXX_COMPILER ${lookupffn_triple}-g++)
# Debian's packages of the target (libfoo-dev:arm64) are in folders of its triple; headers and CMake packages without code are
# everybody's.
set(CMAKE_LIBRARY_ARCHITECTURE ${lookupffn_triple})
string(REGEX REPLACE "-.*" "" lookupffn_emulated ${lookupffn_triple})
# The C library is that of the cross compiler, as its loader is: where Debian's libc6 of the target is installed as well, the loader
# would find that one first, and a mixture of two versions hangs.
if(NOT DEFINED CMAKE_CROSSCOMPILING_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR
      qemu-${lookupffn_emulated};-L;/usr/${lookupffn_triple};-E;LD_LIBRARY_PATH=/usr/${lookupffn_triple}/lib)
endif()
