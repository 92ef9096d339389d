# compiler/ and the parts of tool/ that call it. None of these needs Halide: a shell script stands for the generators.
foreach(subject condition jump_proof_clock schedule_space schedule_record kernel_description kernel_table kernel_library subprocess atomic_file)
  lookupffn_test(${subject}_test ${subject}_test.cc LIBRARIES lookupffn_compiler nlohmann_json::nlohmann_json)
  target_compile_definitions(${subject}_test PRIVATE
    LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules"
    LOOKUPFFN_GENERATOR_SOURCES="${PROJECT_SOURCE_DIR}/generators")
endforeach()

# Schedule spaces, and what is read of objects, against the generators themselves.
foreach(subject schedule_points object_code_hash)
  lookupffn_test(${subject}_test ${subject}_test.cc LIBRARIES lookupffn_compiler)
  add_dependencies(${subject}_test lookupffn_generators)
  target_compile_definitions(${subject}_test PRIVATE
    LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules"
    LOOKUPFFN_GENERATOR_SOURCES="${PROJECT_SOURCE_DIR}/generators"
    LOOKUPFFN_TEST_GENERATOR="$<TARGET_FILE:lookupffn_generators>"
    LOOKUPFFN_TEST_SANITIZER="${LOOKUPFFN_SANITIZE}")
  set_tests_properties(${subject}_test PROPERTIES TIMEOUT 600 ENVIRONMENT "GTEST_FILTER=-*Slow*")
endforeach()
# Many schedules, each compiled.
add_test(NAME schedule_points_test_slow COMMAND schedule_points_test)
set_tests_properties(schedule_points_test_slow PROPERTIES TIMEOUT 3600 LABELS slow ENVIRONMENT "GTEST_FILTER=*Slow*")
