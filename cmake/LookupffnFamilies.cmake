# A family of lookup layers is a folder generators/NAME and a row of registry/families.def. Its rooms belong to the parts of the
# project: runtime/ and training/ to the library, compiler/ to the offline tools, reference/ to the naive twins, generator/ (those of
# training steps in generator/training/) to the generators, bench/ to lookupffn_compare.
#
# lookupffn_family_room(ROOM SOURCES_VARIABLE FOLDERS_VARIABLE): the sources of a room of all families, and its folders.
function(lookupffn_family_room room sources_variable folders_variable)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/generators/*/${room}/*.cc)
  file(GLOB folders CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/generators/*/${room})
  set(${sources_variable} ${sources} PARENT_SCOPE)
  set(${folders_variable} ${folders} PARENT_SCOPE)
endfunction()
lookupffn_family_room(runtime LOOKUPFFN_RUNTIME_FAMILY_SOURCES LOOKUPFFN_RUNTIME_FAMILY_FOLDERS)
lookupffn_family_room(training training_sources training_folders)
list(APPEND LOOKUPFFN_RUNTIME_FAMILY_SOURCES ${training_sources})
list(APPEND LOOKUPFFN_RUNTIME_FAMILY_FOLDERS ${training_folders})
lookupffn_family_room(compiler LOOKUPFFN_COMPILER_FAMILY_SOURCES LOOKUPFFN_COMPILER_FAMILY_FOLDERS)
lookupffn_family_room(reference LOOKUPFFN_REFERENCE_FAMILY_SOURCES LOOKUPFFN_REFERENCE_FAMILY_FOLDERS)
lookupffn_family_room(generator LOOKUPFFN_GENERATOR_FAMILY_SOURCES LOOKUPFFN_GENERATOR_FAMILY_FOLDERS)
lookupffn_family_room(generator/training training_generator_sources training_generator_folders)
list(APPEND LOOKUPFFN_GENERATOR_FAMILY_SOURCES ${training_generator_sources})
# What looks behind the public headers includes these.
set(LOOKUPFFN_PRIVATE_INCLUDES ${PROJECT_SOURCE_DIR}/registry ${LOOKUPFFN_RUNTIME_FAMILY_FOLDERS})
foreach(room model layer kernels threads training)
  list(APPEND LOOKUPFFN_PRIVATE_INCLUDES ${PROJECT_SOURCE_DIR}/runtime/src/${room})
endforeach()

# The shapes of all families' workloads.def.
file(GLOB workload_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/generators/*/workloads.def)
set(LOOKUPFFN_WORKLOAD_SHAPES "")
foreach(workload_file IN LISTS workload_files)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${workload_file})
  file(STRINGS ${workload_file} workload_rows REGEX "^LOOKUPFFN_WORKLOAD\\(")
  foreach(row IN LISTS workload_rows)
    string(REGEX REPLACE "^[^\"]*\"([^\"]*)\".*" "\\1" shape "${row}")
    list(APPEND LOOKUPFFN_WORKLOAD_SHAPES "${shape}")
  endforeach()
endforeach()

# The rooms of the offline tools' library, whose headers are included by their names alone.
set(LOOKUPFFN_COMPILER_ROOMS "")
foreach(room families schedules kernels generation system)
  list(APPEND LOOKUPFFN_COMPILER_ROOMS ${PROJECT_SOURCE_DIR}/compiler/${room})
endforeach()
