# Run by cpack: what the Debian package of the tool needs. Of the programs, only the generators need Halide. They come with the
# package and Halide is recommended, so that it can be installed where there is no such Halide, and all but making kernels works.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
include(${CPACK_LOOKUPFFN_PROGRAMS})
set(ENV{DEB_HOST_ARCH} ${CPACK_DEBIAN_PACKAGE_ARCHITECTURE})
set(work ${CPACK_TOPLEVEL_DIRECTORY}/dependencies)
file(WRITE ${work}/debian/control "Source: lookupffn\n\nPackage: lookupffn\nArchitecture: any\n") # dpkg-shlibdeps looks for it
set(programs -dDepends ${lookupffn_tool_program})
if(NOT lookupffn_cross_build) # the generators of a cross build are another machine's
  list(APPEND programs -dRecommends ${lookupffn_generators_program})
endif()
execute_process(COMMAND dpkg-shlibdeps -O ${programs} WORKING_DIRECTORY ${work}
                OUTPUT_VARIABLE found ERROR_VARIABLE errors RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "dpkg-shlibdeps failed: ${errors}")
endif()
string(REGEX MATCH "shlibs:Depends=([^\n]+)" depends "${found}")
set(CPACK_DEBIAN_TOOL_PACKAGE_DEPENDS "${CMAKE_MATCH_1}")
string(REGEX MATCH "shlibs:Recommends=([^\n]+)" recommends "${found}")
set(CPACK_DEBIAN_TOOL_PACKAGE_RECOMMENDS "${CMAKE_MATCH_1}, g++ | c++-compiler, python3")
if(NOT recommends)
  set(CPACK_DEBIAN_TOOL_PACKAGE_RECOMMENDS "g++ | c++-compiler, python3")
endif()
