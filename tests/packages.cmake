# What is installed and packaged.

# The shared library's name and symbols are those of its list: adding one demands a line, removing one is an error.
find_program(LOOKUPFFN_READELF NAMES ${CMAKE_LIBRARY_ARCHITECTURE}-readelf readelf REQUIRED)
find_program(LOOKUPFFN_NM NAMES ${CMAKE_LIBRARY_ARCHITECTURE}-nm nm REQUIRED)
add_test(NAME packages.abi
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/packages/abi_test.py $<TARGET_FILE:lookupffn_shared>
                 ${PROJECT_SOURCE_DIR}/runtime/liblookupffn.symbols ${LOOKUPFFN_NM} ${LOOKUPFFN_READELF})
