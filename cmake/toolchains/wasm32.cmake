# For WebAssembly, with Debian's emscripten: `apt install emscripten`.
#   cmake -DCMAKE_TOOLCHAIN_FILE=.../wasm32.cmake ...
# Programs become NAME.js and NAME.wasm, which node runs: they see the files of the machine. One thread; no dlopen, no fork.
# What the project asks: the target's programs cannot start others, start threads or load modules.
set(LOOKUPFFN_SANDBOX ON)
set(EMSCRIPTEN_SYSTEM_PROCESSOR wasm32)
include(/usr/share/emscripten/cmake/Modules/Platform/Emscripten.cmake)
set(CMAKE_CROSSCOMPILING_EMULATOR node CACHE STRING "Runs the target's programs")
# Exceptions are the engine's own. Emscripten's are JavaScript's, and slow.
set(lookupffn_flags "-msimd128 -fwasm-exceptions")
set(CMAKE_C_FLAGS_INIT "${lookupffn_flags}")
set(CMAKE_CXX_FLAGS_INIT "${lookupffn_flags}")
# -O1: more than that looks for node packages that are not where every node looks. Code is optimised when it is compiled.
# Waiting for the compilation: emscripten 3.1.6 would fetch() the module in every node that has fetch().
set(CMAKE_EXE_LINKER_FLAGS_INIT "-O1 -sNODERAWFS=1 -sENVIRONMENT=node -sALLOW_MEMORY_GROWTH=1 -sWASM_ASYNC_COMPILATION=0")
# Packages of headers alone are everybody's.
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_PROJECT_INCLUDE ${CMAKE_CURRENT_LIST_DIR}/wasm32_project.cmake)
