# In a cross build: which compiler makes the target's kernels, and how this machine runs the target's programs.
#   LOOKUPFFN_TARGET_TOOLS   a command that sets the environment for a program that makes kernel libraries; empty in a native build
#   LOOKUPFFN_RUN_TOOL       the program `lookupffn` of this build, as this machine can run it
set(LOOKUPFFN_TARGET_TOOLS)
set(LOOKUPFFN_RUN_TOOL $<TARGET_FILE:lookupffn_tool>)
if(NOT CMAKE_CROSSCOMPILING)
  return()
endif()
string(REPLACE "-" "_" suffix ${LOOKUPFFN_TRIPLE})
set(LOOKUPFFN_TARGET_TOOLS ${CMAKE_COMMAND} -E env CC_${suffix}=${CMAKE_C_COMPILER} AR_${suffix}=${CMAKE_AR})

# The toolchain file may know better than the registry. A CPU is chosen by qemu's own environment variable: QEMU_CPU=cortex-a72.
if(CMAKE_CROSSCOMPILING_EMULATOR)
  set(LOOKUPFFN_EMULATOR ${CMAKE_CROSSCOMPILING_EMULATOR})
endif()
list(JOIN LOOKUPFFN_EMULATOR "' '" words)
set(executable FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/emulator CONTENT
"#!/bin/sh
# Runs a program of this build on the machine that it was built on.
# Its compiler is this machine's cross compiler, where the environment names no other.
: \"\${CC_${suffix}:=${CMAKE_C_COMPILER}}\" \"\${AR_${suffix}:=${CMAKE_AR}}\"
export CC_${suffix} AR_${suffix}
export LOOKUPFFN_EMULATED='${LOOKUPFFN_ARCHITECTURE}' # tests do less (tests/shared/load.h)
exec '${words}' \"$@\"
" ${executable})
set(run_tool "'${PROJECT_BINARY_DIR}/emulator' '$<TARGET_FILE:lookupffn_tool>'")
if(LOOKUPFFN_SANDBOX) # where --library cannot mean a module
  set(run_tool "'${PROJECT_BINARY_DIR}/tool/with_kernels'")
endif()
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/lookupffn CONTENT
"#!/bin/sh
# The program lookupffn of this build, under its emulator.
exec ${run_tool} \"$@\"
" ${executable})
set(LOOKUPFFN_RUN_TOOL ${PROJECT_BINARY_DIR}/lookupffn)
set(CMAKE_CROSSCOMPILING_EMULATOR ${PROJECT_BINARY_DIR}/emulator)
