# What `cmake --install` puts where, in three components: `runtime`, the shared library; `devel`, what a program is built with;
# `tool`, the program lookupffn, the tuner, and what they need. Everything is found relative to the program or the package file, so
# the tree may be moved. The folders libexec/lookupffn and share/lookupffn/schedules are also in compiler/system/installation.cc.
include(CMakePackageConfigHelpers)
set(install_package ${CMAKE_INSTALL_LIBDIR}/cmake/lookupffn)
set(install_helpers libexec/lookupffn)
set(install_schedules share/lookupffn/schedules)

# lookupffn_add_kernels() for this build's own examples and tests.
set(LOOKUPFFN_SCHEDULES_DIRECTORY ${PROJECT_SOURCE_DIR}/schedules ${PROJECT_SOURCE_DIR}/generators CACHE INTERNAL
    "Schedule records and spaces")
include(${CMAKE_CURRENT_LIST_DIR}/LookupffnAddKernels.cmake)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/include/lookupffn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT devel)
if(BUILD_SHARED_LIBS)
  install(TARGETS lookupffn_shared EXPORT lookupffn_targets
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT devel)
  set_target_properties(lookupffn_shared PROPERTIES EXPORT_NAME lookupffn)
  # The tuner links measuring programs that run alone.
  install(TARGETS lookupffn ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/lookupffn COMPONENT tool)
else()
  install(TARGETS lookupffn EXPORT lookupffn_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT devel)
endif()
set_target_properties(lookupffn_tool PROPERTIES EXPORT_NAME tool)
install(TARGETS lookupffn_tool EXPORT lookupffn_tool_targets RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tool)
if(NOT CMAKE_CROSSCOMPILING) # in a cross build they are another machine's
  set_target_properties(lookupffn_generators PROPERTIES EXPORT_NAME generators)
  install(TARGETS lookupffn_generators EXPORT lookupffn_tool_targets RUNTIME DESTINATION ${install_helpers} COMPONENT tool)
endif()
install(PROGRAMS ${PROJECT_SOURCE_DIR}/scripts/convert_checkpoint.py DESTINATION ${CMAKE_INSTALL_BINDIR}
        RENAME lookupffn_convert_checkpoint COMPONENT tool)
install(FILES ${PROJECT_SOURCE_DIR}/python/lookupffn/safetensors_file.py DESTINATION share/lookupffn COMPONENT tool) # which it loads
file(GLOB family_spaces CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/generators/*/*.space.json)
install(FILES ${family_spaces} DESTINATION ${install_schedules} COMPONENT tool)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/schedules/ DESTINATION ${install_schedules} COMPONENT tool FILES_MATCHING
    PATTERN "*.json" PATTERN "*.jsonl.gz")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT license) # packages name it copyright

# find_package(lookupffn). The tool may be installed or not.
install(EXPORT lookupffn_targets NAMESPACE lookupffn:: FILE lookupffnTargets.cmake DESTINATION ${install_package} COMPONENT devel)
install(EXPORT lookupffn_tool_targets NAMESPACE lookupffn:: FILE lookupffnToolTargets.cmake DESTINATION ${install_package}
        COMPONENT tool)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/lookupffnConfig.cmake.in
  ${PROJECT_BINARY_DIR}/lookupffnConfig.cmake INSTALL_DESTINATION ${install_package} PATH_VARS install_schedules)
# Before 1.0 each minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lookupffnConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lookupffnConfig.cmake ${PROJECT_BINARY_DIR}/lookupffnConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/LookupffnAddKernels.cmake
        DESTINATION ${install_package} COMPONENT devel)
install(DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/toolchains DESTINATION ${install_package} COMPONENT devel)

# pkg-config. A static library's own needs are part of Libs: nobody says --static to get the usual library.
file(RELATIVE_PATH pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
set(pc_static_libs "-lstdc++ -lm -ldl -pthread")
set(pc_libs "")
set(pc_private_libs "")
if(BUILD_SHARED_LIBS)
  set(pc_private_libs "${pc_static_libs}")
else()
  set(pc_libs " ${pc_static_libs}")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/lookupffn.pc.in ${PROJECT_BINARY_DIR}/lookupffn.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lookupffn.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT devel)
