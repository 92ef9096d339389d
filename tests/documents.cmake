# What the documents say is so: commands run as printed, tables are those of the registry and of the measured results, the API
# reference is made without a warning.
if(NOT LOOKUPFFN_SANITIZE AND NOT BUILD_SHARED_LIBS)
  add_test(NAME readme COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/readme_test.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}
                               ${CMAKE_CURRENT_BINARY_DIR}/readme)
  set_tests_properties(readme PROPERTIES TIMEOUT 600)
  add_test(NAME document_tables COMMAND ${PROJECT_SOURCE_DIR}/scripts/document_tables --check)
  add_test(NAME document_links COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/document_links_test.py ${PROJECT_SOURCE_DIR})
  find_program(LOOKUPFFN_DOXYGEN doxygen)
  if(LOOKUPFFN_DOXYGEN)
    add_test(NAME api_reference
             COMMAND ${PROJECT_SOURCE_DIR}/scripts/api_reference ${CMAKE_CURRENT_BINARY_DIR}/api_reference)
  endif()
endif()
# C and C++ files are in the style of .clang-format.
find_program(LOOKUPFFN_CLANG_FORMAT clang-format-14)
if(LOOKUPFFN_CLANG_FORMAT)
  add_test(NAME format COMMAND ${PROJECT_SOURCE_DIR}/scripts/format --check)
endif()
