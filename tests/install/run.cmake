# Installs BUILD below WORK, moves the tree, and builds and runs each project of this folder against it. In a cross build: by the
# toolchain file TOOLCHAIN, with the kernel compiler of the build tree HOST_TOOLS; programs run by the command EMULATOR.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
set(ENV{CC} ${C})
set(ENV{CXX} ${CXX})
unset(ENV{LOOKUPFFN_GENERATOR})
unset(ENV{LOOKUPFFN_ISA})

function(run what) # run(WHAT COMMAND ...): the output is shown only where it fails
  message(STATUS "${what}")
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run("install" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
# A rule without a component would be in the tarball and in no Debian package.
run("install what has no component" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/unspecified --component Unspecified)
file(GLOB_RECURSE stray ${WORK}/unspecified/*)
if(stray)
  message(FATAL_ERROR "install() without a COMPONENT: ${stray}")
endif()
file(RENAME ${WORK}/first "${WORK}/moved here")
set(prefix "${WORK}/moved here")

file(GLOB_RECURSE descriptions ${prefix}/*.cmake ${prefix}/*.pc)
if(NOT descriptions)
  message(FATAL_ERROR "no package files were installed")
endif()
foreach(file IN LISTS descriptions)
  file(READ ${file} text)
  foreach(path ${BUILD} ${WORK}/first)
    string(FIND "${text}" ${path} at)
    if(NOT at EQUAL -1)
      message(FATAL_ERROR "${file} names ${path}, which a user does not have")
    endif()
  endforeach()
endforeach()

set(golden ${SOURCE}/data/golden)
set(tool "${prefix}/bin/lookupffn")
run("lookupffn isas" ${EMULATOR} ${tool} isas)
run("lookupffn build" ${EMULATOR} ${tool} build ${golden}/bh4_d192_t24_b7.model.safetensors --isa native --out ${WORK}/prebuilt
    --name prebuilt)
run("lookupffn verify" ${EMULATOR} ${tool} verify ${golden}/bh4_d192_t24_b7.model.safetensors
    ${golden}/bh4_d192_t24_b7.io.safetensors --kernels specialised --library ${WORK}/prebuilt)

# By the environment: a list would fall apart on its way through the arguments.
set(ENV{CMAKE_PREFIX_PATH} "${prefix}:${WORK}/prebuilt")
set(cross)
if(TOOLCHAIN)
  # The toolchain file that is installed, as a user has it.
  get_filename_component(toolchain ${TOOLCHAIN} NAME)
  set(cross "-DCMAKE_TOOLCHAIN_FILE=${prefix}/${LIBRARIES}/cmake/lookupffn/toolchains/${toolchain}" -DLOOKUPFFN_HOST_TOOLS=${HOST_TOOLS})
  unset(ENV{CC}) # the toolchain file's
  unset(ENV{CXX})
endif()
function(build_project name) # build_project(NAME [cmake options])
  run("${name}: configure" ${CMAKE_COMMAND} -S ${SOURCE}/install/${name} -B ${WORK}/${name} -G ${GENERATOR}
      -DCMAKE_BUILD_TYPE=Release ${cross} ${ARGN})
  run("${name}: build" ${CMAKE_COMMAND} --build ${WORK}/${name} --parallel 2)
endfunction()

build_project(application)
run("application: run" ${EMULATOR} ${WORK}/application/application ${golden}/dense_d8_t1_b1.model.safetensors)
build_project(plain_c)
run("plain_c: run" ${EMULATOR} ${WORK}/plain_c/plain_c ${golden}/dense_d8_t1_b1.model.safetensors)
build_project(kernels -DMODEL=${golden}/bh4_d64_t40_b4.model.safetensors)
run("kernels: run" ${EMULATOR} ${WORK}/kernels/kernels
    ${golden}/bh4_d64_t40_b4.model.safetensors f32 ${golden}/bh4_d64_t40_b4.model.safetensors i8
    ${golden}/dense_d8_t1_b1.model.safetensors f32 ${golden}/bh4_d192_t24_b7.model.safetensors f32)
if(NOT TOOLCHAIN) # Halide's own CMake package does not cross-build generators
  build_project(halide -DMODEL=${golden}/bh4_d64_t40_b4.model.safetensors)
  run("halide: run" ${WORK}/halide/halide_beside ${golden}/bh4_d64_t40_b4.model.safetensors)
endif()

set(parts -DLOOKUPFFN_SOURCE=${SOURCE}/.. -DLOOKUPFFN_ISAS=plainest)
foreach(part TESTS BENCH EXAMPLES PYTHON)
  list(APPEND parts -DLOOKUPFFN_BUILD_${part}=OFF)
endforeach()
run("part_of_another: configure" ${CMAKE_COMMAND} -S ${SOURCE}/install/part_of_another -B ${WORK}/part_of_another -G ${GENERATOR} ${cross}
    ${parts})

# What cannot be is said when the project is configured.
function(refuse what words) # refuse(WHAT WORDS [cmake options]): of the project `kernels`
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE}/install/kernels -B ${WORK}/refused -G ${GENERATOR} ${cross}
                          -DMODEL=${golden}/bh4_d64_t40_b4.model.safetensors ${ARGN}
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  if(result EQUAL 0 OR NOT output MATCHES "${words}")
    message(FATAL_ERROR "${what}: expected '${words}', got (${result}) ${output}")
  endif()
endfunction()
if(TOOLCHAIN)
  refuse("a folder without the program" "has no program lookupffn" -DLOOKUPFFN_HOST_TOOLS=${WORK}/nowhere)
  refuse("an ISA that the library lacks" "has no ISA 'neonn'" -DMORE_ISAS=neonn)
endif()

# A makefile's way.
find_program(PKG_CONFIG pkg-config)
if(NOT PKG_CONFIG)
  message(FATAL_ERROR "there is no pkg-config: `apt install pkgconf`")
endif()
set(ENV{CC} ${C})
set(ENV{PKG_CONFIG_PATH} "${prefix}/${LIBRARIES}/pkgconfig")
set(ENV{LD_LIBRARY_PATH} "${prefix}/${LIBRARIES}")
set(ENV{FORWARD} ${SOURCE}/../examples/forward/forward.c)
run("pkg-config: build" sh -c
    "eval $CC -o '${WORK}/forward' \"$FORWARD\" $('${PKG_CONFIG}' --cflags --libs lookupffn)")
run("pkg-config: run" ${EMULATOR} ${WORK}/forward ${golden}/dense_d8_t1_b1.model.safetensors)
run("pkg-config: version" ${PKG_CONFIG} --modversion lookupffn)
message(STATUS "version ${output}")
