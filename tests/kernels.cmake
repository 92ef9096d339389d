# Kernels and runtime: generic and specialised kernels against the reference, and what the C API promises.

# ---- what the tests share
add_library(lookupffn_layer_check STATIC layer_check.cc)
target_link_libraries(lookupffn_layer_check PUBLIC lookupffn_reference lookupffn_compiler GTest::gtest)
if(LOOKUPFFN_SANITIZE)
  target_compile_definitions(lookupffn_layer_check PUBLIC LOOKUPFFN_SANITIZED)
endif()

# ---- specialised kernels: small odd shapes, tried with every type, and those of the golden models
include(${PROJECT_SOURCE_DIR}/cmake/LookupffnAddKernels.cmake)
set(test_shapes
  "d_in=1 d_out=1 tables=1 bits=1 projection=dense"
  "d_in=33 d_out=17 tables=5 bits=7 projection=dense"
  "d_in=300 d_out=129 tables=9 bits=8 projection=dense"
  "d_in=64 d_out=64 tables=2 bits=16 projection=dense"
  "d_in=5 d_out=8 tables=9 bits=4 projection=bh4 block=2"       # p < 16: multiplied out
  "d_in=16 d_out=31 tables=7 bits=5 projection=bh4 block=4"     # codes straddle repeats, blocks are widened
  "d_in=48 d_out=48 tables=40 bits=4 projection=bh4 block=64"   # one block, three repeats
  "d_in=100 d_out=33 tables=3 bits=11 projection=bh4 block=1"
  "d_in=192 d_out=192 tables=33 bits=8 projection=bh4 block=16" # two repeats, the last for one table
  "d_in=1000 d_out=100 tables=12 bits=6 projection=bh4 block=32"
  "d_in=17 d_out=256 tables=21 bits=3 projection=dense")        # rows of i4 that byte dot products sum
set(test_bf16_shapes
  "d_in=33 d_out=17 tables=5 bits=7 projection=dense"
  "d_in=192 d_out=16 tables=9 bits=6 projection=bh4 block=8"
  # On AMX's tiles: a single block, padding and several repeats, many blocks, a long sum, a dense one.
  "d_in=32 d_out=16 tables=8 bits=4 projection=bh4 block=32"
  "d_in=100 d_out=16 tables=40 bits=8 projection=bh4 block=64"
  "d_in=700 d_out=16 tables=12 bits=8 projection=bh4 block=32"
  "d_in=256 d_out=16 tables=3 bits=5 projection=bh4 block=256"
  "d_in=224 d_out=16 tables=7 bits=5 projection=dense")
lookupffn_add_kernels(test_kernels SHAPES ${test_shapes} ISAS ${LOOKUPFFN_ISAS} TABLE_TYPES ${LOOKUPFFN_TABLE_TYPES})
lookupffn_add_kernels(test_bf16_kernels SHAPES ${test_bf16_shapes} ISAS ${LOOKUPFFN_ISAS} PROJECTION_TYPES bf16 bf16x3)
set(huge_isa avx2) # where the library has it
if(NOT huge_isa IN_LIST LOOKUPFFN_ISAS)
  list(GET LOOKUPFFN_ISAS 0 huge_isa)
endif()
lookupffn_add_kernels(test_huge_kernels SHAPES "d_in=1 d_out=1024 tables=9 bits=16 projection=dense" ISAS ${huge_isa})

file(GLOB golden_models CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/data/golden/*.model.safetensors)
foreach(model IN LISTS golden_models)
  get_filename_component(name ${model} NAME)
  string(REPLACE ".model.safetensors" "" name ${name})
  lookupffn_add_kernels(golden_${name} MODEL ${model} ISAS ${LOOKUPFFN_ISAS})
  list(APPEND golden_libraries golden_${name}_generate)
endforeach()

# The shapes once more for the tests, as C strings.
set(test_shapes_directory ${CMAKE_CURRENT_BINARY_DIR}/test_shapes)
list(JOIN test_shapes "\",\n    \"" test_shapes_text)
list(JOIN test_bf16_shapes "\",\n    \"" test_bf16_shapes_text)
file(CONFIGURE OUTPUT ${test_shapes_directory}/test_shapes.h CONTENT
"// Shapes that the kernel libraries test_kernels and test_bf16_kernels hold, from kernels.cmake.
#include <string>

inline const std::string kTestShapes[] = {
    \"@test_shapes_text@\"};
inline const std::string kBf16TestShapes[] = {
    \"@test_bf16_shapes_text@\"};
" @ONLY)

# kernel_test(NAME [LIBRARIES ...]): a test program of layers, with the kernels above where it wants them.
function(kernel_test name)
  lookupffn_test(${name} ${name}.cc LIBRARIES lookupffn_layer_check ${ARGN})
  target_include_directories(${name} PRIVATE ${test_shapes_directory})
  target_compile_definitions(${name} PRIVATE LOOKUPFFN_TEST_KERNELS="${CMAKE_CURRENT_BINARY_DIR}/lookupffn_kernels")
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
endfunction()

kernel_test(kernel_grid_test)
kernel_test(specialised_kernels_test test_kernels test_bf16_kernels test_huge_kernels)
add_dependencies(specialised_kernels_test ${golden_libraries})
target_compile_definitions(specialised_kernels_test PRIVATE LOOKUPFFN_TEST_HUGE_ISA="${huge_isa}")
kernel_test(bits_test test_kernels test_bf16_kernels)
kernel_test(not_finite_test test_kernels test_bf16_kernels)
kernel_test(large_input_test test_kernels test_bf16_kernels)
kernel_test(concurrency_test test_kernels)
kernel_test(layer_test)
lookupffn_test(threads_test threads_test.cc)
if(NOT LOOKUPFFN_SANITIZE) # sanitizers have a malloc of their own
  kernel_test(allocation_test test_kernels)
endif()

# ---- the program
lookupffn_test(isa_test isa_test.cc LIBRARIES lookupffn_layer_check)
if(NOT LOOKUPFFN_SANITIZE) # sanitizers have alternative signal stacks of their own
  lookupffn_test(tile_permission_test tile_permission_test.cc LIBRARIES lookupffn_layer_check)
endif()
lookupffn_test(tool_test tool_test.cc LIBRARIES lookupffn_reference lookupffn_compiler nlohmann_json::nlohmann_json)
foreach(name isa_test tool_test)
  add_dependencies(${name} lookupffn_tool)
  target_compile_definitions(${name} PRIVATE LOOKUPFFN_TEST_TOOL="${LOOKUPFFN_RUN_TOOL}"
                                             LOOKUPFFN_TEST_SANITIZER="${LOOKUPFFN_SANITIZE}"
                                             LOOKUPFFN_TEST_HALIDE=${LOOKUPFFN_HALIDE_MAJOR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endforeach()

# Every golden case on every ISA, on generic and on specialised kernels. An ISA that this machine lacks is skipped.
foreach(model IN LISTS golden_models)
  string(REGEX REPLACE ".*/(.*)[.]model[.]safetensors" "\\1" name ${model})
  string(REPLACE ".model." ".io." io ${model})
  foreach(isa IN LISTS LOOKUPFFN_ISAS)
    add_test(NAME golden.${name}.${isa}.generic
             COMMAND lookupffn_tool verify ${model} ${io} --isa ${isa} --kernels generic)
    add_test(NAME golden.${name}.${isa}.specialised
             COMMAND lookupffn_tool verify ${model} ${io} --isa ${isa} --kernels specialised
                     --library ${golden_${name}_DIRECTORY})
    set_tests_properties(golden.${name}.${isa}.generic golden.${name}.${isa}.specialised PROPERTIES
                         SKIP_REGULAR_EXPRESSION "does not run here")
  endforeach()
endforeach()

# ---- symbols: kernels neither allocate nor call a Halide runtime, so there is none to clash with an application's
set(archives $<TARGET_FILE:lookupffn>)
foreach(name test_kernels test_bf16_kernels)
  list(APPEND archives ${${name}_DIRECTORY}/lib${name}.a)
endforeach()
add_test(NAME symbols_test
         COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} "-DARCHIVES=${archives}" -P ${CMAKE_CURRENT_SOURCE_DIR}/symbols_test.cmake)

# ---- instructions, of whatever target
if(NOT CMAKE_CROSSCOMPILING)
  add_test(NAME vector_calls_test
           COMMAND ${CMAKE_COMMAND} -DGENERATOR=$<TARGET_FILE:lookupffn_generators> -DHALIDE=${LOOKUPFFN_HALIDE_MAJOR}
                   -DWORK=${CMAKE_CURRENT_BINARY_DIR}/vector_calls -P ${CMAKE_CURRENT_SOURCE_DIR}/instructions/vector_calls.cmake)
endif()
