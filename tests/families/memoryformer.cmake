# Kernels specialised for MemoryFormer layers: those of the golden cases, and other shapes with every type.
set(memoryformer_shapes
  "family=memoryformer tables=1 bits=1 d_out=1"
  "family=memoryformer tables=21 bits=3 d_out=17"
  "family=memoryformer tables=5 bits=16 d_out=16"
  "family=memoryformer tables=96 bits=8 d_out=64"   # the published model's hash
  "family=memoryformer tables=9 bits=7 d_in=33 d_out=33 projection=dense")
lookupffn_add_kernels(memoryformer_kernels SHAPES ${memoryformer_shapes} ISAS ${LOOKUPFFN_ISAS}
                      TABLE_TYPES ${LOOKUPFFN_TABLE_TYPES})
# On AMX's tiles, too.
set(memoryformer_bf16_shape "family=memoryformer tables=40 bits=4 d_in=224 d_out=16 projection=dense")
lookupffn_add_kernels(memoryformer_bf16_kernels SHAPES ${memoryformer_bf16_shape} ISAS ${LOOKUPFFN_ISAS} PROJECTION_TYPES bf16 bf16x3)
target_link_libraries(family_memoryformer_test PRIVATE memoryformer_kernels memoryformer_bf16_kernels)

file(GLOB cases CONFIGURE_DEPENDS ${tests_source_dir}/data/families/memoryformer.*.safetensors)
foreach(case IN LISTS cases)
  string(REGEX REPLACE ".*/memoryformer[.](.*)[.]safetensors" "\\1" name ${case})
  lookupffn_add_kernels(memoryformer_${name} MODEL ${case} ISAS ${LOOKUPFFN_ISAS})
  add_dependencies(family_memoryformer_test memoryformer_${name}_generate)
  # An ISA that this machine lacks is skipped.
  foreach(isa IN LISTS LOOKUPFFN_ISAS)
    add_test(NAME memoryformer.${name}.${isa}.generic COMMAND lookupffn_tool verify ${case} --isa ${isa} --kernels generic)
    add_test(NAME memoryformer.${name}.${isa}.specialised
             COMMAND lookupffn_tool verify ${case} --isa ${isa} --kernels specialised --library ${memoryformer_${name}_DIRECTORY})
    set_tests_properties(memoryformer.${name}.${isa}.generic memoryformer.${name}.${isa}.specialised PROPERTIES
                         SKIP_REGULAR_EXPRESSION "does not run here")
  endforeach()
endforeach()
list(JOIN memoryformer_shapes "\",\n    \"" memoryformer_shapes_text)
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/test_shapes/memoryformer_shapes.h CONTENT
"// Shapes that the kernel libraries memoryformer_kernels and memoryformer_bf16_kernels hold, from memoryformer.cmake.
#include <string>

inline const std::string kMemoryformerShapes[] = {
    \"@memoryformer_shapes_text@\"};
inline const std::string kMemoryformerBf16Shape = \"@memoryformer_bf16_shape@\";
" @ONLY)
target_include_directories(family_memoryformer_test PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/test_shapes)
target_compile_definitions(family_memoryformer_test PRIVATE LOOKUPFFN_TEST_KERNELS="${CMAKE_CURRENT_BINARY_DIR}/lookupffn_kernels")
set_tests_properties(family_memoryformer_test PROPERTIES TIMEOUT 900)
