# The model file's reader and writer, and the reference that other tests compare with.

lookupffn_test(float_types_test float_types_test.cc)
lookupffn_test(safetensors_test safetensors_test.cc)
lookupffn_test(safetensors_writer_test safetensors_writer_test.cc)
lookupffn_test(model_test model_test.cc LIBRARIES lookupffn_reference)
lookupffn_test(model_mutation_test model_mutation_test.cc LIBRARIES lookupffn_reference)
lookupffn_test(reference_test reference_test.cc LIBRARIES lookupffn_reference)

target_compile_definitions(model_mutation_test PRIVATE LOOKUPFFN_CORPUS="${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus")
add_subdirectory(fuzz)
