# Installs BUILD below WORK, moves the tree, and builds and runs each project of this folder against it.
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
run("lookupffn isas" ${tool} isas)
run("lookupffn build" ${tool} build ${golden}/bh4_d192_t24_b7.model.safetensors --isa native --out ${WORK}/prebuilt
    --name prebuilt)
run("lookupffn verify" ${tool} verify ${golden}/bh4_d192_t24_b7.model.safetensors
    ${golden}/bh4_d192_t24_b7.io.safetensors --kernels specialised --library ${WORK}/prebuilt)

# By the environment: a list would fall apart on its way through the arguments.
set(ENV{CMAKE_PREFIX_PATH} "${prefix}:${WORK}/prebuilt")
function(build_project name) # build_project(NAME [cmake options])
  run("${name}: configure" ${CMAKE_COMMAND} -S ${SOURCE}/install/${name} -B ${WORK}/${name} -G ${GENERATOR}
      -DCMAKE_BUILD_TYPE=Release ${ARGN})
  run("${name}: build" ${CMAKE_COMMAND} --build ${WORK}/${name} --parallel 2)
endfunction()

build_project(application)
run("application: run" ${WORK}/application/application ${golden}/dense_d8_t1_b1.model.safetensors)
build_project(plain_c)
run("plain_c: run" ${WORK}/plain_c/plain_c ${golden}/dense_d8_t1_b1.model.safetensors)
build_project(kernels -DMODEL=${golden}/bh4_d64_t40_b4.model.safetensors)
run("kernels: run" ${WORK}/kernels/kernels
    ${golden}/bh4_d64_t40_b4.model.safetensors f32 ${golden}/bh4_d64_t40_b4.model.safetensors i8
    ${golden}/dense_d8_t1_b1.model.safetensors f32 ${golden}/bh4_d192_t24_b7.model.safetensors f32)
build_project(halide -DMODEL=${golden}/bh4_d64_t40_b4.model.safetensors)
run("halide: run" ${WORK}/halide/halide_beside ${golden}/bh4_d64_t40_b4.model.safetensors)

# A makefile's way.
find_program(PKG_CONFIG pkg-config)
if(NOT PKG_CONFIG)
  message(FATAL_ERROR "there is no pkg-config: `apt install pkgconf`")
endif()
set(ENV{PKG_CONFIG_PATH} "${prefix}/${LIBRARIES}/pkgconfig")
set(ENV{LD_LIBRARY_PATH} "${prefix}/${LIBRARIES}")
set(ENV{FORWARD} ${SOURCE}/../examples/forward/forward.c)
run("pkg-config: build" sh -c
    "eval $CC -o '${WORK}/forward' \"$FORWARD\" $('${PKG_CONFIG}' --cflags --libs lookupffn)")
run("pkg-config: run" ${WORK}/forward ${golden}/dense_d8_t1_b1.model.safetensors)
run("pkg-config: version" ${PKG_CONFIG} --modversion lookupffn)
message(STATUS "version ${output}")
