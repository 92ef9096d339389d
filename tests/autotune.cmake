# The tuner: its parts against stand-ins, then the whole of it on a tiny shape.
foreach(subject trial_log search boards runner tune_report)
  lookupffn_test(${subject}_test ${subject}_test.cc LIBRARIES lookupffn_autotune)
  target_compile_definitions(${subject}_test PRIVATE LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules")
endforeach()
find_package(ZLIB REQUIRED)
target_link_libraries(trial_log_test PRIVATE ZLIB::ZLIB)
lookupffn_test(sampling_test sampling_test.cc ${PROJECT_SOURCE_DIR}/autotune/measure/sampling.cc)
target_include_directories(sampling_test PRIVATE ${PROJECT_SOURCE_DIR}/autotune)

# Candidates are linked statically, which sanitizers do not support; nor do those go with a clock that is preloaded.
if(NOT LOOKUPFFN_SANITIZE AND NOT BUILD_SHARED_LIBS)
  lookupffn_test(tune_tiny tune_tiny_test.cc LIBRARIES lookupffn_autotune)
  target_compile_definitions(tune_tiny PRIVATE
    LOOKUPFFN_TOOL="${LOOKUPFFN_RUN_TOOL}"
    LOOKUPFFN_GENERATOR_PROGRAM="$<TARGET_FILE:lookupffn_generators>"
    LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules")
  add_dependencies(tune_tiny lookupffn_tool lookupffn_generators lookupffn_measure)
  set_tests_properties(tune_tiny PROPERTIES TIMEOUT 900 RUN_SERIAL ON) # it measures

  # The same clock twice: to be preloaded, and to be linked into measuring programs, which are static.
  add_library(jumping_clock MODULE jumping_clock.c)
  add_library(jumping_clock_object OBJECT jumping_clock.c)
  lookupffn_test(tune_clock tune_clock_test.cc ${PROJECT_SOURCE_DIR}/autotune/measure/sampling.cc
    LIBRARIES lookupffn_autotune)
  target_compile_definitions(tune_clock PRIVATE
    LOOKUPFFN_TOOL="${LOOKUPFFN_RUN_TOOL}"
    LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules"
    LOOKUPFFN_JUMPING_CLOCK="$<TARGET_FILE:jumping_clock>"
    LOOKUPFFN_JUMPING_CLOCK_OBJECT="$<TARGET_OBJECTS:jumping_clock_object>")
  add_dependencies(tune_clock lookupffn_tool lookupffn_generators lookupffn_measure jumping_clock jumping_clock_object)
  set_tests_properties(tune_clock PROPERTIES TIMEOUT 300)
else()
  message(STATUS "The tests tune_tiny and tune_clock are left out: they need static programs without sanitizers")
endif()
