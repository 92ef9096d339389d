# Tests that make no sense where the target's programs run under an emulator, each with the reason. CTest leaves them out, as its
# custom file says: the properties of tests in other folders cannot be set from here. scripts/target prints tests_left_out.txt.
# Tests that only take long there are not left out; they do less (tests/shared/load.h).
if(NOT CMAKE_CROSSCOMPILING)
  return()
endif()
set(not_emulated)
set(reasons)
function(lookupffn_not_emulated reason) # (REASON TEST ...)
  list(JOIN ARGN ", " names)
  message(STATUS "Not under an emulator: ${names}: ${reason}")
  set(not_emulated ${not_emulated} ${ARGN} PARENT_SCOPE)
  set(reasons "${reasons}${names}: ${reason}\n" PARENT_SCOPE)
endfunction()
lookupffn_not_emulated("it measures, and an emulator's times are no machine's" tune_tiny tune_clock)
lookupffn_not_emulated("it looks at nothing that is built for the target" document_tables document_links api_reference format debian13
                       model_fuzz text_fuzz)
lookupffn_not_emulated("it counts and searches whole schedule spaces, the same for every target, and takes many minutes" search_test schedule_space_test)
lookupffn_not_emulated("it runs the commands of the documents, which are for this machine" readme)
file(WRITE ${PROJECT_BINARY_DIR}/CTestCustom.cmake "set(CTEST_CUSTOM_TESTS_IGNORE ${not_emulated})\n")
file(WRITE ${PROJECT_BINARY_DIR}/tests_left_out.txt "${reasons}")
