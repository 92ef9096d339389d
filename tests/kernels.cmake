# Kernels and runtime: portable and specialised kernels against the reference, and what the C API promises.
add_library(lookupffn_layer_check STATIC layer_check.cc)
target_link_libraries(lookupffn_layer_check PUBLIC lookupffn_reference lookupffn_compiler GTest::gtest)
if(LOOKUPFFN_SANITIZE)
  target_compile_definitions(lookupffn_layer_check PUBLIC LOOKUPFFN_SANITIZED)
endif()

lookupffn_test(kernel_grid_test kernel_grid_test.cc LIBRARIES lookupffn_layer_check)
set_tests_properties(kernel_grid_test PROPERTIES TIMEOUT 600)
