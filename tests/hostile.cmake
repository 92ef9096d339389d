# What hostile, careless and unlucky users do: each hostile/SUBJECT_test.cc is a test program. A suite whose name ends in
# "Slow" runs in scripts/test --all only.
file(GLOB hostile_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/hostile/*_test.cc)
foreach(source IN LISTS hostile_tests)
  get_filename_component(name ${source} NAME_WE)
  lookupffn_test(hostile_${name} ${source} LIBRARIES lookupffn_reference lookupffn_autotune lookupffn_compiler
                 nlohmann_json::nlohmann_json)
  add_dependencies(hostile_${name} lookupffn_tool lookupffn_generators lookupffn_measure)
  target_compile_definitions(hostile_${name} PRIVATE
    LOOKUPFFN_TEST_TOOL="$<TARGET_FILE:lookupffn_tool>"
    LOOKUPFFN_GENERATOR_PROGRAM="$<TARGET_FILE:lookupffn_generators>"
    LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules"
    LOOKUPFFN_TEST_SANITIZER="${LOOKUPFFN_SANITIZE}")
  set_tests_properties(hostile_${name} PROPERTIES TIMEOUT 600 LABELS hostile ENVIRONMENT "GTEST_FILTER=-*Slow.*")
  add_test(NAME hostile_${name}_slow COMMAND hostile_${name})
  set_tests_properties(hostile_${name}_slow PROPERTIES TIMEOUT 3600 LABELS "hostile;slow" ENVIRONMENT "GTEST_FILTER=*Slow.*")
endforeach()
