# The programs that a build runs: the generators, build_generic_kernels and the tool. A native build makes and uses its own. In a
# cross build they are those of a native build tree:
#   -DLOOKUPFFN_HOST_TOOLS=DIR   which one; without it, one is made in host_tools/ of the build tree
# Defines what generators/ and compiler/ define in a native build, lookupffn_generators and lookupffn_build_generic_kernels, and
# lookupffn_host_tool, for either kind of build; and what is to be known of Halide: Halide_VERSION, LOOKUPFFN_HALIDE_MAJOR,
# LOOKUPFFN_HALIDE_INCLUDES.
if(NOT CMAKE_CROSSCOMPILING)
  find_package(Halide REQUIRED)
  get_target_property(LOOKUPFFN_HALIDE_INCLUDES Halide::Runtime INTERFACE_INCLUDE_DIRECTORIES)
  set(LOOKUPFFN_HALIDE_MAJOR ${Halide_VERSION_MAJOR})
  # For cross builds that name this build tree.
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/host_tools.cmake @ONLY CONTENT
"set(Halide_VERSION @Halide_VERSION@)
set(LOOKUPFFN_HALIDE_MAJOR @LOOKUPFFN_HALIDE_MAJOR@)
set(LOOKUPFFN_HALIDE_INCLUDES \"@LOOKUPFFN_HALIDE_INCLUDES@\")
")
  return()
endif()

set(LOOKUPFFN_HOST_TOOLS "" CACHE PATH "Build tree for the machine that builds, whose generators and tool are used; empty: one is made")
set(host_programs generators/lookupffn_generators compiler/build_generic_kernels tool/lookupffn)
if(LOOKUPFFN_HOST_TOOLS)
  set(host ${LOOKUPFFN_HOST_TOOLS})
  foreach(file host_tools.cmake ${host_programs})
    if(NOT EXISTS ${host}/${file})
      message(FATAL_ERROR "LOOKUPFFN_HOST_TOOLS=${host} is no finished build tree of LookupFFN for this machine: there is no ${file}")
    endif()
  endforeach()
else()
  set(host ${PROJECT_BINARY_DIR}/host_tools)
  message(STATUS "Configuring the programs that this build runs, in ${host}")
  # The environment's compilers may be the target's.
  set(host_environment ${CMAKE_COMMAND} -E env)
  foreach(variable CC CXX AR CFLAGS CXXFLAGS LDFLAGS CMAKE_TOOLCHAIN_FILE CMAKE_PREFIX_PATH PKG_CONFIG_PATH)
    list(APPEND host_environment --unset=${variable})
  endforeach()
  execute_process(
    COMMAND ${host_environment} ${CMAKE_COMMAND} -S ${PROJECT_SOURCE_DIR} -B ${host} -G ${CMAKE_GENERATOR} -DCMAKE_BUILD_TYPE=Release
            -DLOOKUPFFN_ISAS=plainest -DLOOKUPFFN_BUILD_TESTS=OFF -DLOOKUPFFN_BUILD_BENCH=OFF -DLOOKUPFFN_BUILD_EXAMPLES=OFF
    OUTPUT_VARIABLE host_output ERROR_VARIABLE host_output RESULT_VARIABLE host_result)
  if(NOT host_result EQUAL 0)
    message(FATAL_ERROR "cannot configure the programs that this build runs:\n${host_output}")
  endif()
  list(TRANSFORM host_programs PREPEND ${host}/ OUTPUT_VARIABLE host_paths)
  add_custom_target(lookupffn_host_programs
    COMMAND ${host_environment} ${CMAKE_COMMAND} --build ${host} --target lookupffn_generators lookupffn_build_generic_kernels lookupffn_tool
    BYPRODUCTS ${host_paths}
    COMMENT "Building the programs that this build runs" USES_TERMINAL VERBATIM)
endif()
include(${host}/host_tools.cmake)
set(LOOKUPFFN_HOST_TREE ${host})
foreach(pair lookupffn_generators:generators/lookupffn_generators lookupffn_build_generic_kernels:compiler/build_generic_kernels
             lookupffn_host_tool:tool/lookupffn)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 path)
  add_executable(${name} IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION ${host}/${path})
  if(TARGET lookupffn_host_programs)
    add_dependencies(${name} lookupffn_host_programs)
  endif()
endforeach()
