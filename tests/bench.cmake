# The benchmark programs run and say what they should; nothing here asserts a time.
lookupffn_test(bench_meter_test bench_meter_test.cc ${PROJECT_SOURCE_DIR}/bench/compare/meter.cc
                                ${PROJECT_SOURCE_DIR}/bench/compare/one_cpu_set.cc)
target_include_directories(bench_meter_test PRIVATE ${PROJECT_SOURCE_DIR}/bench/compare ${PROJECT_SOURCE_DIR}/bench/roofline)
if(LOOKUPFFN_BUILD_BENCH AND NOT LOOKUPFFN_SANITIZE) # peers' libraries are not built for sanitizers
  find_package(Python3 COMPONENTS Interpreter)
  if(Python3_FOUND)
    add_test(NAME bench_compare_test
             COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/bench_compare_test.py
                     $<TARGET_FILE:lookupffn_compare> ${PROJECT_SOURCE_DIR})
    add_test(NAME bench_regress_test
             COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/bench_regress_test.py
                     ${PROJECT_SOURCE_DIR}/bench/regress/regress)
  endif()
endif()
