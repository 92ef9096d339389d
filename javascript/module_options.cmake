# lookupffn_wasm_module(NAME): makes an executable target a module NAME.wasm that javascript/system.js loads, without emscripten's
# own script.
function(lookupffn_wasm_module name)
  set_target_properties(${name} PROPERTIES SUFFIX .wasm LOOKUPFFN_WASM_MODULE ON)
  # The toolchain file's options are for programs under node. Of two that say the same, the later counts.
  target_link_options(${name} PRIVATE -O3 --no-entry -sNODERAWFS=0 -sENVIRONMENT=web -sWASM_ASYNC_COMPILATION=1
                      -sTOTAL_STACK=2MB -sALLOW_MEMORY_GROWTH=1)
endfunction()
