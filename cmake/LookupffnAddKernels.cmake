function(lookupffn_find_host_tool name) # for lookupffn_add_kernels(NAME): the imported program lookupffn_host_tool
  if(TARGET lookupffn_host_tool)
    return()
  endif()
  set(places NO_CMAKE_PATH NO_CMAKE_ENVIRONMENT_PATH)
  if(LOOKUPFFN_HOST_TOOLS)
    set(places PATHS ${LOOKUPFFN_HOST_TOOLS} NO_DEFAULT_PATH)
  endif()
  unset(LOOKUPFFN_HOST_TOOL CACHE) # LOOKUPFFN_HOST_TOOLS may be another one now
  find_program(LOOKUPFFN_HOST_TOOL lookupffn ${places} PATH_SUFFIXES bin tool NO_CMAKE_FIND_ROOT_PATH
               DOC "The program lookupffn of the machine that builds")
  if(NOT LOOKUPFFN_HOST_TOOL AND LOOKUPFFN_HOST_TOOLS)
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): LOOKUPFFN_HOST_TOOLS=${LOOKUPFFN_HOST_TOOLS} has no program lookupffn: name "
                        "an installation or a finished build tree for this machine")
  elseif(NOT LOOKUPFFN_HOST_TOOL)
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): a cross build needs lookupffn for this machine, too, to make kernels with: "
                        "install it, and give -DLOOKUPFFN_HOST_TOOLS=PREFIX")
  endif()
  execute_process(COMMAND ${LOOKUPFFN_HOST_TOOL} --version OUTPUT_VARIABLE version ERROR_VARIABLE version RESULT_VARIABLE result)
  string(REGEX MATCH "[0-9]+[.][0-9.]*[0-9]" version "${version}")
  if(NOT result EQUAL 0 OR NOT version VERSION_EQUAL lookupffn_VERSION)
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): ${LOOKUPFFN_HOST_TOOL} is of version '${version}', the library of "
                        "${lookupffn_VERSION}: name the program of the same version with LOOKUPFFN_HOST_TOOLS")
  endif()
  add_executable(lookupffn_host_tool IMPORTED GLOBAL)
  set_target_properties(lookupffn_host_tool PROPERTIES IMPORTED_LOCATION "${LOOKUPFFN_HOST_TOOL}")
endfunction()

# lookupffn_add_kernels(NAME
#     MODEL file | SHAPES "d_in=512 tables=128 ..." ...
#     ISAS native|all|sse41|avx2|... ...
#     [TABLE_TYPES f32|bf16|i8|i4 ...] [PROJECTION_TYPES f32|bf16|bf16x3 ...] [SCHEDULES directory ...])
#
# Generates kernels specialised for a model's layers, or for given shapes, when the project is built. Defines the
# target NAME to link: its header NAME.h declares lookupffn_status NAME_register(void), to be called before
# layers are packed. The result directory is ${NAME}_DIRECTORY (target property LOOKUPFFN_KERNELS_DIRECTORY).
#
# Works where lookupffn was found by find_package and where it is part of the same build.
#
# ISAs of other architectures than the one that is built for are left out, so that one list serves all.
#
# In a cross build the library is the target's, and kernels are made for the target by the program `lookupffn` of this machine:
# that of LOOKUPFFN_HOST_TOOLS (where lookupffn was installed for this machine, or its build tree), or else in the PATH. `native`
# and `all` then mean every ISA of the target's library, which picks one when it runs.
function(lookupffn_add_kernels name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MODEL" "SHAPES;ISAS;TABLE_TYPES;PROJECTION_TYPES;SCHEDULES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT name MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): the name must be a C identifier")
  endif()
  if((arg_MODEL AND arg_SHAPES) OR (NOT arg_MODEL AND NOT arg_SHAPES))
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): give MODEL file or SHAPES \"d_in=...\" ..., one of the two")
  endif()
  if(NOT arg_ISAS)
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): give ISAS, for example: ISAS native")
  endif()

  # The program, the generators and the library, of this build or of the installed package.
  set(runtime lookupffn::lookupffn)
  if(TARGET lookupffn_tool)
    set(tool lookupffn_tool)
    set(generators lookupffn_generators)
    if(CMAKE_CROSSCOMPILING)
      set(tool lookupffn_host_tool)
    endif()
  elseif(CMAKE_CROSSCOMPILING AND TARGET lookupffn::lookupffn)
    lookupffn_find_host_tool(${name})
    set(tool lookupffn_host_tool)
    set(generators) # the program finds its own
  elseif(TARGET lookupffn::tool)
    set(tool lookupffn::tool)
    set(generators lookupffn::generators)
  else()
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): the program lookupffn is not there: find_package(lookupffn) first, and where "
                        "that found no program, install it (package lookupffn)")
  endif()
  if(generators AND NOT TARGET ${generators})
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): lookupffn was built without its generators: "
                        "`scripts/set_up build` installs Halide; then build it again")
  endif()

  set(wanted ${arg_ISAS})
  list(REMOVE_ITEM wanted "" ${LOOKUPFFN_OTHER_ISAS})
  if(NOT wanted)
    message(FATAL_ERROR "lookupffn_add_kernels(${name}): ISAS ${arg_ISAS} are none of ${LOOKUPFFN_TRIPLE}, for which the library has "
                        "${LOOKUPFFN_LIBRARY_ISAS}")
  endif()
  set(environment)
  if(CMAKE_CROSSCOMPILING)
    string(REPLACE "-" "_" triple ${LOOKUPFFN_TRIPLE})
    set(environment ${CMAKE_COMMAND} -E env CC_${triple}=${CMAKE_C_COMPILER} AR_${triple}=${CMAKE_AR})
    foreach(isa IN LISTS wanted)
      if(NOT isa MATCHES "^(native|all)$" AND NOT isa IN_LIST LOOKUPFFN_LIBRARY_ISAS)
        message(FATAL_ERROR "lookupffn_add_kernels(${name}): the library for ${LOOKUPFFN_TRIPLE} has no ISA '${isa}'; it has "
                            "${LOOKUPFFN_LIBRARY_ISAS}")
      endif()
    endforeach()
    if("native" IN_LIST wanted OR "all" IN_LIST wanted)
      set(wanted ${LOOKUPFFN_LIBRARY_ISAS})
    endif()
  endif()
  set(arg_ISAS ${wanted})

  set(arguments)
  set(inputs)
  if(arg_MODEL)
    get_filename_component(model "${arg_MODEL}" ABSOLUTE)
    list(APPEND arguments "${model}")
    list(APPEND inputs "${model}")
  endif()
  foreach(shape IN LISTS arg_SHAPES)
    list(APPEND arguments --shape "${shape}")
  endforeach()
  # Each option takes a list with commas.
  foreach(option ISAS:--isa TABLE_TYPES:--table-type PROJECTION_TYPES:--projection-type)
    string(REPLACE ":" ";" option "${option}")
    list(GET option 0 variable)
    list(GET option 1 flag)
    if(arg_${variable})
      list(JOIN arg_${variable} "," values)
      list(APPEND arguments ${flag} "${values}")
    endif()
  endforeach()
  # New and changed records make the kernels again. LOOKUPFFN_SCHEDULES_DIRECTORY: set by the package or the build.
  set(schedules ${LOOKUPFFN_SCHEDULES_DIRECTORY})
  foreach(directory IN LISTS arg_SCHEDULES)
    get_filename_component(directory "${directory}" ABSOLUTE)
    list(APPEND arguments --schedules "${directory}")
    list(APPEND schedules "${directory}")
  endforeach()
  foreach(directory IN LISTS schedules)
    file(GLOB_RECURSE records CONFIGURE_DEPENDS "${directory}/*.json")
    list(APPEND inputs ${records})
  endforeach()

  set(generator)
  if(generators)
    set(generator --generator $<TARGET_FILE:${generators}>)
  endif()
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/lookupffn_kernels/${name}")
  set(archive "${directory}/lib${name}.a")
  # The tool leaves an old result where it fails, and puts a new one in its place by one rename. `manifest.json` is not named
  # here: build programs delete outputs when they are interrupted, and by it the next build knows the directory for its own.
  add_custom_command(
    OUTPUT "${archive}" "${directory}/include/${name}.h"
    COMMAND ${environment} $<TARGET_FILE:${tool}> build ${arguments} --out "${directory}" --name ${name} ${generator}
            $<$<BOOL:${LOOKUPFFN_SANITIZE}>:--sanitizer> $<$<BOOL:${LOOKUPFFN_SANITIZE}>:${LOOKUPFFN_SANITIZE}>
    DEPENDS ${tool} ${generators} ${inputs}
    COMMENT "Generating LookupFFN kernels ${name}"
    COMMAND_EXPAND_LISTS
    VERBATIM)
  add_custom_target(${name}_generate DEPENDS "${archive}" "${directory}/include/${name}.h")

  file(MAKE_DIRECTORY "${directory}/include") # an include directory must exist when it is named
  add_library(${name} INTERFACE)
  add_dependencies(${name} ${name}_generate)
  target_include_directories(${name} INTERFACE "${directory}/include")
  # The archive before the library whose functions it calls.
  target_link_libraries(${name} INTERFACE "${archive}" ${runtime})
  set_target_properties(${name} PROPERTIES LOOKUPFFN_KERNELS_DIRECTORY "${directory}")
  set(${name}_DIRECTORY "${directory}" PARENT_SCOPE)
endfunction()
