# Specialised kernels for embedding_bag_test.cc: rows of the widths that its layers are
# packed to, of one tile and of several.
include(${PROJECT_SOURCE_DIR}/cmake/LookupffnAddKernels.cmake)
lookupffn_add_kernels(embedding_bag_kernels
  SHAPES "family=embedding_bag rows=1 d_out=16" "family=embedding_bag rows=1 d_out=32" "family=embedding_bag rows=1 d_out=48"
         "family=embedding_bag rows=1 d_out=64" "family=embedding_bag rows=1 d_out=80" "family=embedding_bag rows=1 d_out=144"
         "family=embedding_bag rows=1 d_out=512" "family=embedding_bag rows=1 d_out=1040"
  ISAS ${LOOKUPFFN_ISAS} TABLE_TYPES ${LOOKUPFFN_TABLE_TYPES})
add_dependencies(family_embedding_bag_test embedding_bag_kernels_generate)
target_compile_definitions(family_embedding_bag_test PRIVATE LOOKUPFFN_TEST_BAG_KERNELS="${embedding_bag_kernels_DIRECTORY}")
set_tests_properties(family_embedding_bag_test PROPERTIES TIMEOUT 900 ENVIRONMENT "GTEST_FILTER=-*Slow.*")
add_test(NAME family_embedding_bag_test_slow COMMAND family_embedding_bag_test)
set_tests_properties(family_embedding_bag_test_slow PROPERTIES TIMEOUT 3600 LABELS slow ENVIRONMENT "GTEST_FILTER=*Slow.*")
