# compiler/ and the parts of tool/ that call it. None of these needs Halide: a shell script stands for the generators.
foreach(subject condition schedule_space schedule_record kernel_table kernel_library subprocess atomic_file)
  lookupffn_test(${subject}_test ${subject}_test.cc LIBRARIES lookupffn_compiler)
  target_compile_definitions(${subject}_test PRIVATE LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules")
endforeach()
