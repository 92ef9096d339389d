# Dispatch that can be trusted: nothing runs an instruction that the CPU lacks. What runs before a kernel is chosen keeps to the
# architecture's baseline, and emulated CPUs get the ISA that they have, or one clear line. Code for sanitizers does not run
# under qemu, and is not what is installed.
if(LOOKUPFFN_SANITIZE)
  return()
endif()

# The baseline, as GNU's assembler calls it; an option that goes beyond it; an instruction that this option allows.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(baseline generic64)
  set(beyond_option -mssse3)
  set(beyond_instruction pshufb)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(baseline armv8-a)
  set(beyond_option -march=armv8.2-a+dotprod)
  set(beyond_instruction udot)
else()
  return()
endif()

# A program that the baseline does not run: the checks below must find it out.
add_executable(beyond_baseline dispatch/beyond_baseline.c)
target_compile_options(beyond_baseline PRIVATE ${beyond_option})

# GNU's, also where the compiler is clang.
find_program(LOOKUPFFN_OBJDUMP NAMES ${CMAKE_LIBRARY_ARCHITECTURE}-objdump objdump REQUIRED)
find_program(LOOKUPFFN_ASSEMBLER NAMES ${CMAKE_LIBRARY_ARCHITECTURE}-as as REQUIRED)
set(baseline_test ${CMAKE_CURRENT_SOURCE_DIR}/dispatch/baseline_test.py --objdump ${LOOKUPFFN_OBJDUMP}
                  --as ${LOOKUPFFN_ASSEMBLER} --baseline ${baseline})
set(baseline_objects "")
foreach(target lookupffn lookupffn_compiler lookupffn_reference lookupffn_autotune lookupffn_tool)
  list(APPEND baseline_objects $<TARGET_OBJECTS:${target}>)
endforeach()
file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/dispatch/baseline_objects.txt CONTENT "$<JOIN:${baseline_objects},\n>\n")
add_test(NAME dispatch.baseline COMMAND ${baseline_test} --list ${CMAKE_CURRENT_BINARY_DIR}/dispatch/baseline_objects.txt)
add_test(NAME dispatch.baseline_finds COMMAND ${baseline_test} $<TARGET_OBJECTS:beyond_baseline>)
set_tests_properties(dispatch.baseline_finds PROPERTIES PASS_REGULAR_EXPRESSION
                     "${beyond_instruction} .*beyond_baseline.*main\\)[^\n]*\n.*not of the baseline")

# x86-64 CPUs that lack this or that, under qemu. The library as an application links it, and the tool.
if(baseline STREQUAL generic64)
  add_executable(dispatch_application ${PROJECT_SOURCE_DIR}/examples/forward/forward.c)
  target_link_libraries(dispatch_application PRIVATE lookupffn::lookupffn)
  lookupffn_test(emulated_cpus_test dispatch/emulated_cpus_test.cc LIBRARIES lookupffn_compiler)
  add_dependencies(emulated_cpus_test lookupffn_tool dispatch_application beyond_baseline golden_bh4_d64_t40_b4_generate)
  target_compile_definitions(emulated_cpus_test PRIVATE
    LOOKUPFFN_TEST_TOOL="$<TARGET_FILE:lookupffn_tool>"
    LOOKUPFFN_TEST_APPLICATION="$<TARGET_FILE:dispatch_application>"
    LOOKUPFFN_TEST_BEYOND_BASELINE="$<TARGET_FILE:beyond_baseline>"
    LOOKUPFFN_TEST_KERNELS="${CMAKE_CURRENT_BINARY_DIR}/lookupffn_kernels")
  set_tests_properties(emulated_cpus_test PROPERTIES TIMEOUT 600)
endif()
