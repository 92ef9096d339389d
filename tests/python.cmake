# The Python package: its wheel is made of this build, installed into a virtual environment, and tested there. NumPy and torch
# are the system's. A sanitized library would need a Python that is built alike.
if(LOOKUPFFN_BUILD_PYTHON AND NOT LOOKUPFFN_SANITIZE)
  set(LOOKUPFFN_PYTHON /usr/bin/python3 CACHE FILEPATH "A Python with torch, for the converter's test")
  set(environment ${CMAKE_CURRENT_BINARY_DIR}/python/environment)
  add_test(NAME python_environment
    COMMAND ${LOOKUPFFN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/python/make_environment.py ${environment})
  set_tests_properties(python_environment PROPERTIES FIXTURES_SETUP python TIMEOUT 600
    ENVIRONMENT LOOKUPFFN_WHEEL_BUILD=${PROJECT_BINARY_DIR})
  # Each python/SUBJECT_test.py is a test; classes whose name ends in "Slow" run in scripts/test --all only.
  file(GLOB python_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/python/*_test.py)
  foreach(source IN LISTS python_tests)
    get_filename_component(name ${source} NAME_WE)
    add_test(NAME python_${name} COMMAND ${environment}/bin/python3 -B ${source})
    set_tests_properties(python_${name} PROPERTIES FIXTURES_REQUIRED python TIMEOUT 600 SKIP_RETURN_CODE 77)
    file(STRINGS ${source} slow REGEX "^class .*Slow\\(")
    if(slow)
      add_test(NAME python_${name}_slow COMMAND ${environment}/bin/python3 -B ${source} --slow)
      set_tests_properties(python_${name}_slow PROPERTIES FIXTURES_REQUIRED python TIMEOUT 3600 SKIP_RETURN_CODE 77
        LABELS slow)
    endif()
  endforeach()
endif()
