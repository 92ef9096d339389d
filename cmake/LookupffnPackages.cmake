# What `cpack` makes of the install components: a Debian package each, and a tarball of all. docs/packages.md says how to use it.
#
#   liblookupffnABI   component runtime, the shared library (with BUILD_SHARED_LIBS)
#   liblookupffn-dev  component devel
#   lookupffn         component tool
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
set(package_runtime liblookupffn${LOOKUPFFN_ABI})
set(package_devel liblookupffn-dev)
set(package_tool lookupffn)
set(CPACK_COMPONENTS_ALL devel tool)
if(BUILD_SHARED_LIBS)
  list(PREPEND CPACK_COMPONENTS_ALL runtime)
endif()

set(CPACK_PACKAGE_NAME lookupffn)
set(CPACK_PACKAGE_VENDOR "The LookupFFN kernels authors")
set(LOOKUPFFN_PACKAGE_CONTACT "The LookupFFN kernels authors <lookupffn@packages.invalid>" CACHE STRING
    "Who made the packages: NAME <ADDRESS>")
# No CPACK_PACKAGE_DESCRIPTION_SUMMARY: it would stand before the descriptions below, whose first lines are summaries.
set(CPACK_PACKAGE_CONTACT "${LOOKUPFFN_PACKAGE_CONTACT}")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_GENERATOR "DEB;TGZ")
set(triple ${CMAKE_LIBRARY_ARCHITECTURE})
if(NOT triple)
  set(triple linux-${CMAKE_SYSTEM_PROCESSOR})
endif()
set(CPACK_PACKAGE_FILE_NAME lookupffn-${PROJECT_VERSION}-${triple})

# ---- documents of the packages
set(package_documents ${PROJECT_BINARY_DIR}/package_documents)
string(TIMESTAMP package_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(CONFIGURE OUTPUT ${package_documents}/changelog.Debian @ONLY CONTENT
"lookupffn (@PROJECT_VERSION@-1) unstable; urgency=medium

  * Version @PROJECT_VERSION@: see changelog.gz.

 -- @LOOKUPFFN_PACKAGE_CONTACT@  @package_date@
")
file(COPY_FILE ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${package_documents}/changelog ONLY_IF_DIFFERENT)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/CHANGELOG.md)
# lookupffn_compressed(FILE): FILE.gz beside it, as Debian wants documents, when the project is built.
set(compressed_documents "")
function(lookupffn_compressed file)
  add_custom_command(OUTPUT ${file}.gz COMMAND gzip --best --no-name --keep --force ${file} DEPENDS ${file} VERBATIM)
  set(compressed_documents ${compressed_documents} ${file}.gz PARENT_SCOPE)
endfunction()
foreach(document changelog changelog.Debian)
  lookupffn_compressed(${package_documents}/${document})
endforeach()
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  set(folder ${CMAKE_INSTALL_DATADIR}/doc/${package_${component}})
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${folder} RENAME copyright COMPONENT ${component})
  install(FILES ${package_documents}/changelog.gz ${package_documents}/changelog.Debian.gz DESTINATION ${folder}
          COMPONENT ${component})
endforeach()

# Man pages: the library's is written by hand, the program's are made of what its --help says.
configure_file(${PROJECT_SOURCE_DIR}/docs/man/lookupffn.3 ${package_documents}/lookupffn.3 COPYONLY)
lookupffn_compressed(${package_documents}/lookupffn.3)
install(FILES ${package_documents}/lookupffn.3.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT devel)
find_program(LOOKUPFFN_HELP2MAN help2man)
if(LOOKUPFFN_HELP2MAN)
  add_custom_command(
    OUTPUT ${package_documents}/man1.made
    COMMAND ${PROJECT_SOURCE_DIR}/scripts/man_pages ${LOOKUPFFN_HELP2MAN} ${LOOKUPFFN_RUN_TOOL} ${package_documents}/man1
    COMMAND ${CMAKE_COMMAND} -E touch ${package_documents}/man1.made
    DEPENDS lookupffn_tool ${PROJECT_SOURCE_DIR}/scripts/man_pages ${PROJECT_SOURCE_DIR}/scripts/convert_checkpoint.py
            ${PROJECT_SOURCE_DIR}/docs/man/lookupffn.1.include
    COMMENT "Making man pages of what the tool says of itself" VERBATIM)
  list(APPEND compressed_documents ${package_documents}/man1.made)
  install(DIRECTORY ${package_documents}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT tool FILES_MATCHING PATTERN "*.gz")
else()
  message(STATUS "There is no help2man, so the program's man pages are left out")
endif()
add_custom_target(lookupffn_package_documents ALL DEPENDS ${compressed_documents})

# ---- Debian
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(debian_version ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
execute_process(COMMAND dpkg-architecture -t ${triple} -q DEB_HOST_ARCH
                OUTPUT_VARIABLE architecture OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE no_dpkg)
if(no_dpkg EQUAL 0)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${architecture})
else()
  set(CPACK_GENERATOR "TGZ") # no Debian
endif()

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME ${package_runtime})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_MULTIARCH same) # beside that of another architecture, for cross builds
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "run LookupFFN layers on a CPU: shared library
LookupFFN replaces a transformer's feed-forward network by hashing and table
lookups. This library opens models, packs their layers for the instruction set
of the CPU that it finds, and runs them.")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Programs depend on the release that has what they use.
configure_file(${PROJECT_SOURCE_DIR}/runtime/liblookupffn.symbols ${PROJECT_BINARY_DIR}/debian_control/symbols COPYONLY)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/debian_control/shlibs @ONLY CONTENT
"liblookupffn @LOOKUPFFN_ABI@ @package_runtime@ (>= @PROJECT_VERSION@)
")
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/debian_control/triggers CONTENT "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA
    ${PROJECT_BINARY_DIR}/debian_control/symbols ${PROJECT_BINARY_DIR}/debian_control/shlibs
    ${PROJECT_BINARY_DIR}/debian_control/triggers)

set(CPACK_DEBIAN_DEVEL_PACKAGE_NAME ${package_devel})
set(CPACK_DEBIAN_DEVEL_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVEL_PACKAGE_MULTIARCH same)
set(CPACK_COMPONENT_DEVEL_DESCRIPTION "run LookupFFN layers on a CPU: development files
What programs that run LookupFFN layers are built with: headers for C and C++,
a CMake package and a file for pkg-config.")
if(BUILD_SHARED_LIBS)
  set(CPACK_DEBIAN_DEVEL_PACKAGE_DEPENDS "${package_runtime} (= ${debian_version})")
endif()
set(CPACK_DEBIAN_DEVEL_PACKAGE_SUGGESTS "${package_tool}")

set(CPACK_DEBIAN_TOOL_PACKAGE_NAME ${package_tool})
set(CPACK_DEBIAN_TOOL_PACKAGE_SECTION science)
set(CPACK_COMPONENT_TOOL_DESCRIPTION "check, run and tune LookupFFN layers on a CPU
The program lookupffn looks at models, checks and runs their layers, makes
kernels that are specialised for a model, and tunes them on the machine that
they are to run on.
.
Making kernels and tuning need a C++ compiler and the Halide library; all the
rest works without.")
set(CPACK_DEBIAN_TOOL_PACKAGE_SUGGESTS "python3-torch")
if(BUILD_SHARED_LIBS)
  string(APPEND CPACK_DEBIAN_TOOL_PACKAGE_SUGGESTS ", ${package_devel}")
else() # the tuner links the static library
  set(CPACK_LOOKUPFFN_TOOL_RECOMMENDS "${package_devel} (= ${debian_version}), ")
endif()

# What the tool depends on is found when packages are made.
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/packages/debian_dependencies.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/packages/debian_multiarch.cmake)
include(CPack)
