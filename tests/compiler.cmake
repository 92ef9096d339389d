# compiler/ and the parts of tool/ that call it. None of these needs Halide: a shell script stands for the generators.
foreach(subject condition generator_sources jump_proof_clock schedule_space schedule_record kernel_table kernel_library subprocess atomic_file)
  lookupffn_test(${subject}_test ${subject}_test.cc LIBRARIES lookupffn_compiler)
  target_compile_definitions(${subject}_test PRIVATE
    LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules"
    LOOKUPFFN_GENERATOR_SOURCES="${PROJECT_SOURCE_DIR}/generators")
endforeach()

# Schedule spaces against the generators themselves.
lookupffn_test(schedule_points_test schedule_points_test.cc LIBRARIES lookupffn_compiler)
add_dependencies(schedule_points_test lookupffn_generators)
target_compile_definitions(schedule_points_test PRIVATE
  LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules"
  LOOKUPFFN_GENERATOR_SOURCES="${PROJECT_SOURCE_DIR}/generators"
  LOOKUPFFN_TEST_GENERATOR="$<TARGET_FILE:lookupffn_generators>"
  LOOKUPFFN_TEST_SANITIZER="${LOOKUPFFN_SANITIZE}")
set_tests_properties(schedule_points_test PROPERTIES TIMEOUT 600 ENVIRONMENT "GTEST_FILTER=-*Slow*")
# Many schedules, each compiled.
add_test(NAME schedule_points_test_slow COMMAND schedule_points_test)
set_tests_properties(schedule_points_test_slow PROPERTIES TIMEOUT 3600 LABELS slow ENVIRONMENT "GTEST_FILTER=*Slow*")
