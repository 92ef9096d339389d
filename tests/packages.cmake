# What is installed and packaged.

# The shared library's name and symbols are those of its list: adding one demands a line, removing one is an error.
find_program(LOOKUPFFN_READELF NAMES ${CMAKE_LIBRARY_ARCHITECTURE}-readelf readelf REQUIRED)
find_program(LOOKUPFFN_NM NAMES ${CMAKE_LIBRARY_ARCHITECTURE}-nm nm REQUIRED)
add_test(NAME packages.abi
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packages/abi_test.py $<TARGET_FILE:lookupffn_shared>
                 ${PROJECT_SOURCE_DIR}/runtime/liblookupffn.symbols ${LOOKUPFFN_NM} ${LOOKUPFFN_READELF})

# The tool where Halide is not installed: `build` says so.
add_test(NAME packages.no_halide
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packages/no_halide_test.sh $<TARGET_FILE:lookupffn_tool> ${CMAKE_CURRENT_BINARY_DIR}/no_halide)

# The packages themselves, made as docs/packages.md says. They take a build tree of their own, and roots of Debian.
if(NOT LOOKUPFFN_SANITIZE AND NOT CMAKE_CROSSCOMPILING AND NOT BUILD_SHARED_LIBS)
  set(packages ${PROJECT_SOURCE_DIR}/build/packages)
  add_test(NAME packages.make COMMAND ${PROJECT_SOURCE_DIR}/scripts/make_packages)
  add_test(NAME packages.lintian COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packages/lintian_test.sh ${packages})
  add_test(NAME packages.tarball COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packages/tarball_test.sh ${PROJECT_SOURCE_DIR} ${packages}
                                         ${CMAKE_CURRENT_BINARY_DIR}/tarball)
  foreach(release 12 13)
    add_test(NAME packages.debian${release}
             COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packages/clean_root_test.sh ${PROJECT_SOURCE_DIR} ${packages} ${release}
                     ${CMAKE_CURRENT_BINARY_DIR}/packages_debian${release})
  endforeach()
  set_tests_properties(packages.make PROPERTIES FIXTURES_SETUP packages LABELS slow TIMEOUT 3600)
  set_tests_properties(packages.lintian packages.tarball packages.debian12 packages.debian13 PROPERTIES
                       FIXTURES_REQUIRED packages LABELS slow TIMEOUT 3600 SKIP_RETURN_CODE 77)
endif()
