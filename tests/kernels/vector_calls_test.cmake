# Fails where a kernel does not call functions of ours (generators/lowering/inlined_functions.h) a vector at a time, or where a call is
# left over. GENERATOR and OBJDUMP: the programs; WORK: a folder.
file(MAKE_DIRECTORY ${WORK})
# Vectors as long as registers, shorter, and so long that they are cut up.
foreach(vector_bytes 32 16 128)
  set(name gather_${vector_bytes})
  execute_process(
    COMMAND ${GENERATOR} -g gather -f ${name} -n ${name} -o ${WORK} -e object
            target=x86-64-linux-sse41-avx-avx2-f16c-fma-no_asserts-no_bounds_query-no_runtime d_out=128 tables=8 bits=4 d_tile=128
            vector_bytes=${vector_bytes} prefetch_tables=2
    RESULT_VARIABLE result ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${GENERATOR}: ${errors}")
  endif()
  execute_process(COMMAND ${OBJDUMP} -dr --disassemble=${name} ${WORK}/${name}.o OUTPUT_VARIABLE code RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${OBJDUMP} failed on ${WORK}/${name}.o")
  endif()
  set(register ymm)
  if(vector_bytes EQUAL 16)
    set(register xmm)
  endif()
  if(NOT code MATCHES "vfmadd[0-9]+ps[^\n]*%${register}")
    message(FATAL_ERROR "${name} multiplies and adds no vectors of ${register} registers")
  endif()
  if(NOT code MATCHES "prefetcht0")
    message(FATAL_ERROR "${name} does not prefetch")
  endif()
  if(code MATCHES "vfmadd[0-9]+ss|R_X86_64[^\n]*lookupffn_[a-z_0-9]*|v?insertps")
    message(FATAL_ERROR "${name} multiplies and adds lane by lane: ${CMAKE_MATCH_0}")
  endif()
endforeach()
