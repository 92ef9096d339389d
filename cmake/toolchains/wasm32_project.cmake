# Read behind project() in builds for WebAssembly.

# What a program printed is written out when it ends. A module does not end.
add_link_options($<$<NOT:$<BOOL:$<TARGET_PROPERTY:LOOKUPFFN_WASM_MODULE>>>:-sEXIT_RUNTIME=1>)

# Emscripten's C library has headers of its own: of /usr/include only the packages are seen that are headers alone.
set(lookupffn_shared_headers ${CMAKE_BINARY_DIR}/shared_headers)
file(MAKE_DIRECTORY ${lookupffn_shared_headers})
foreach(package nlohmann CLI)
  if(EXISTS /usr/include/${package})
    file(CREATE_LINK /usr/include/${package} ${lookupffn_shared_headers}/${package} SYMBOLIC)
  endif()
endforeach()
foreach(language C CXX)
  list(APPEND CMAKE_${language}_IMPLICIT_INCLUDE_DIRECTORIES /usr/include) # is not named to the compiler, then
  list(APPEND CMAKE_${language}_STANDARD_INCLUDE_DIRECTORIES ${lookupffn_shared_headers})
endforeach()
