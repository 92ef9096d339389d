# liblookupffn.so, target lookupffn_shared: the objects of the static library, of which nothing but the API is visible, under versioned
# names. Kernels come from Halide with every name visible, so the linker is told the API's names: those of the public header.
file(READ include/lookupffn/lookupffn.h header)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS include/lookupffn/lookupffn.h)
string(REGEX MATCHALL "\nLOOKUPFFN_API [^(]*\\(" declarations "${header}")
set(api "")
foreach(declaration IN LISTS declarations)
  string(REGEX REPLACE ".*[ *]([a-z0-9_]+)\\($" "\\1" name "${declaration}")
  string(APPEND api "${name}; ")
endforeach()
set(exports ${CMAKE_CURRENT_BINARY_DIR}/exports.map)
file(CONFIGURE OUTPUT ${exports} CONTENT "LOOKUPFFN_@LOOKUPFFN_ABI@ { global: ${api}local: *; };\n" @ONLY)

add_library(lookupffn_shared SHARED $<TARGET_OBJECTS:lookupffn> ${kernels}/generic_kernels.o)
add_dependencies(lookupffn_shared lookupffn)
set_target_properties(lookupffn_shared PROPERTIES
  OUTPUT_NAME lookupffn VERSION ${PROJECT_VERSION} SOVERSION ${LOOKUPFFN_ABI} LINKER_LANGUAGE CXX LINK_DEPENDS ${exports})
target_link_options(lookupffn_shared PRIVATE LINKER:--version-script=${exports})
if(NOT LOOKUPFFN_SANITIZE) # what sanitizers need is in the program
  target_link_options(lookupffn_shared PRIVATE LINKER:-z,defs)
endif()
target_include_directories(lookupffn_shared INTERFACE
  $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(lookupffn_shared PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
