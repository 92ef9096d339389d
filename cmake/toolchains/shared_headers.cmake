# Read behind project() in a build with a C library of its own, whose headers are not those of /usr/include: of the latter only
# the packages that are headers alone are seen.
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
