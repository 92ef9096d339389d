# Run by cpack: what the Debian package of the tool needs. Of the programs, only the generators need Halide. They come with the
# package and Halide is recommended, so that it can be installed where there is no such Halide, and all but making kernels works.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
set(work ${CPACK_TOPLEVEL_DIRECTORY}/dependencies)
set(installed ${work}/installed)
file(REMOVE_RECURSE ${work})
file(WRITE ${work}/debian/control "Source: lookupffn\n\nPackage: lookupffn\nArchitecture: any\n") # dpkg-shlibdeps looks for it
function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${work} OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command} failed: ${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# As installed: in the build tree programs may find libraries elsewhere.
list(GET CPACK_INSTALL_CMAKE_PROJECTS 0 build)
run(${CMAKE_COMMAND} --install ${build} --component tool --prefix ${installed})
set(programs -dDepends ${installed}/bin/lookupffn)
set(generators ${installed}/libexec/lookupffn/lookupffn_generators)
if(EXISTS ${generators}) # a cross build has none
  list(APPEND programs -dRecommends ${generators})
endif()
set(ENV{DEB_HOST_ARCH} ${CPACK_DEBIAN_PACKAGE_ARCHITECTURE})
run(dpkg-shlibdeps -O ${programs})

string(REGEX MATCH "shlibs:Depends=([^\n]+)" found "${output}")
set(CPACK_DEBIAN_TOOL_PACKAGE_DEPENDS "${CMAKE_MATCH_1}")
set(CPACK_DEBIAN_TOOL_PACKAGE_RECOMMENDS "${CPACK_LOOKUPFFN_TOOL_RECOMMENDS}g++ | c++-compiler, python3")
if(output MATCHES "shlibs:Recommends=([^\n]+)")
  string(PREPEND CPACK_DEBIAN_TOOL_PACKAGE_RECOMMENDS "${CMAKE_MATCH_1}, ")
endif()
