# Projects outside of this one are built against an installed tree and run. Sanitized libraries are left out: their
# users would have to be compiled alike.
if(NOT LOOKUPFFN_SANITIZE)
  add_test(NAME install
    COMMAND ${CMAKE_COMMAND} -DBUILD=${PROJECT_BINARY_DIR} -DWORK=${CMAKE_CURRENT_BINARY_DIR}/install
            -DSOURCE=${CMAKE_CURRENT_SOURCE_DIR} -DGENERATOR=${CMAKE_GENERATOR} -DC=${CMAKE_C_COMPILER}
            -DCXX=${CMAKE_CXX_COMPILER} -DLIBRARIES=${CMAKE_INSTALL_LIBDIR}
            -DTOOLCHAIN=${CMAKE_TOOLCHAIN_FILE} -DEMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR} -DHOST_TOOLS=${LOOKUPFFN_HOST_TREE}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/install/run.cmake)
  set_tests_properties(install PROPERTIES TIMEOUT 900 PROCESSORS 2)
endif()
