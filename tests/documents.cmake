# What the README prints runs as printed.
if(NOT LOOKUPFFN_SANITIZE AND NOT BUILD_SHARED_LIBS)
  add_test(NAME readme COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/readme_test.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                               ${CMAKE_CURRENT_BINARY_DIR}/readme)
  set_tests_properties(readme PROPERTIES TIMEOUT 600)
endif()
