# The tuner: its parts against stand-ins, then the whole of it on a tiny shape.
foreach(subject trial_log search runner tune_report)
  lookupffn_test(${subject}_test ${subject}_test.cc LIBRARIES lookupffn_autotune)
endforeach()
find_package(ZLIB REQUIRED)
target_link_libraries(trial_log_test PRIVATE ZLIB::ZLIB)
lookupffn_test(sampling_test sampling_test.cc ${PROJECT_SOURCE_DIR}/autotune/measure/sampling.cc)
target_include_directories(sampling_test PRIVATE ${PROJECT_SOURCE_DIR}/autotune)

# Candidates are linked statically, which sanitizers do not support.
if(NOT LOOKUPFFN_SANITIZE AND NOT BUILD_SHARED_LIBS)
  lookupffn_test(tune_tiny tune_tiny_test.cc LIBRARIES lookupffn_autotune)
  target_compile_definitions(tune_tiny PRIVATE
    LOOKUPFFN_TOOL="$<TARGET_FILE:lookupffn_tool>"
    LOOKUPFFN_GENERATOR_PROGRAM="$<TARGET_FILE:lookupffn_generators>"
    LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules")
  add_dependencies(tune_tiny lookupffn_tool lookupffn_generators lookupffn_measure)
  set_tests_properties(tune_tiny PROPERTIES TIMEOUT 900)
endif()
