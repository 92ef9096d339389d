# What hostile, careless and unlucky users do: each hostile/SUBJECT_test.cc is a test program. A suite whose name ends in
# "Slow" runs in scripts/test --all only.
file(GLOB hostile_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/hostile/*_test.cc)
foreach(source IN LISTS hostile_tests)
  get_filename_component(name ${source} NAME_WE)
  if(name STREQUAL allocation_failure_test AND LOOKUPFFN_SANITIZE) # sanitizers have a malloc of their own
    continue()
  endif()
  lookupffn_test(hostile_${name} ${source} LIBRARIES lookupffn_reference lookupffn_autotune lookupffn_compiler
                 nlohmann_json::nlohmann_json)
  add_dependencies(hostile_${name} lookupffn_tool lookupffn_generators lookupffn_measure)
  target_compile_definitions(hostile_${name} PRIVATE
    LOOKUPFFN_TEST_TOOL="${LOOKUPFFN_RUN_TOOL}"
    LOOKUPFFN_GENERATOR_PROGRAM="$<TARGET_FILE:lookupffn_generators>"
    LOOKUPFFN_SCHEDULES="${PROJECT_SOURCE_DIR}/schedules"
    LOOKUPFFN_TEST_SANITIZER="${LOOKUPFFN_SANITIZE}")
  set_tests_properties(hostile_${name} PROPERTIES TIMEOUT 600 LABELS hostile ENVIRONMENT "GTEST_FILTER=-*Slow.*")
  add_test(NAME hostile_${name}_slow COMMAND hostile_${name})
  set_tests_properties(hostile_${name}_slow PROPERTIES TIMEOUT 3600 LABELS "hostile;slow" ENVIRONMENT "GTEST_FILTER=*Slow.*")
endforeach()

# ---- what tests load: a kernel library module without kernels, ...
add_library(hostile_module MODULE hostile/module_without_kernels.c)
target_include_directories(hostile_module PRIVATE ${PROJECT_SOURCE_DIR}/runtime/include)

# ... the runtime as a library that can be unloaded: of its names none but the API's are visible, as in an application's
# plugin that the archive was linked into, ...
add_library(hostile_shared SHARED $<TARGET_OBJECTS:lookupffn>)
target_link_libraries(hostile_shared PRIVATE lookupffn) # the kernels
set_target_properties(hostile_shared PROPERTIES LINKER_LANGUAGE CXX)
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/hostile_shared.map CONTENT "{ global: lookupffn_*; local: *; };\n")
target_link_options(hostile_shared PRIVATE LINKER:--version-script=${CMAKE_CURRENT_BINARY_DIR}/hostile_shared.map)
add_dependencies(hostile_dlclose_test hostile_shared)
target_compile_definitions(hostile_dlclose_test PRIVATE LOOKUPFFN_TEST_SHARED_LIBRARY="$<TARGET_FILE:hostile_shared>")

# ... and calls that fail when they are told to. It stands before libc, so that the program's calls go to it.
if(NOT LOOKUPFFN_SANITIZE)
  add_library(hostile_failing_calls SHARED hostile/failing_calls.c)
  target_link_libraries(hostile_failing_calls PRIVATE ${CMAKE_DL_LIBS})
  target_link_libraries(hostile_allocation_failure_test PRIVATE hostile_failing_calls)
  target_compile_definitions(hostile_allocation_failure_test PRIVATE
    LOOKUPFFN_TEST_FAILING_CALLS="$<TARGET_FILE:hostile_failing_calls>")
endif()
foreach(name truncated_files_test allocation_failure_test)
  if(TARGET hostile_${name})
    add_dependencies(hostile_${name} hostile_module)
    target_compile_definitions(hostile_${name} PRIVATE LOOKUPFFN_TEST_MODULE="$<TARGET_FILE:hostile_module>")
  endif()
endforeach()
