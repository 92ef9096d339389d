# Families of lookup layers: each families/NAME_test.cc is a test program.
file(GLOB family_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/families/*_test.cc)
foreach(source IN LISTS family_tests)
  get_filename_component(name ${source} NAME_WE)
  lookupffn_test(family_${name} ${source} LIBRARIES lookupffn_layer_check)
endforeach()
