# scripts/with-debian13, without the network.
add_test(NAME debian13 COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/debian13_test.sh ${PROJECT_SOURCE_DIR}
                               ${CMAKE_CURRENT_BINARY_DIR}/debian13)
set_tests_properties(debian13 PROPERTIES SKIP_RETURN_CODE 77)
