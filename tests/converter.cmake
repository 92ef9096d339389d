# The checkpoint converter, with Debian's Python, whose torch it is written for.
set(LOOKUPFFN_PYTHON /usr/bin/python3 CACHE FILEPATH "A Python with torch, for the converter's test")
add_test(NAME convert_checkpoint_test
  COMMAND ${LOOKUPFFN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/convert_checkpoint_test.py)
set_tests_properties(convert_checkpoint_test PROPERTIES SKIP_RETURN_CODE 77)
if(TARGET lookupffn_tool)
  set_tests_properties(convert_checkpoint_test PROPERTIES ENVIRONMENT LOOKUPFFN_TOOL=${LOOKUPFFN_RUN_TOOL})
endif()
