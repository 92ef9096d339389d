# Fails where a kernel does not call functions of ours (generators/lowering/inlined_functions.h) a vector at a time, where a call is left
# over, or where it works on parts of vectors. GENERATOR: the program; HALIDE: its version; WORK: a folder.
file(MAKE_DIRECTORY ${WORK})

# gather(NAME TARGET VECTOR_BYTES [PARAMETER=VALUE ...]): the assembly of a gather, without what the assembler is told besides, in ${code}.
function(gather name target vector_bytes)
  execute_process(
    COMMAND ${GENERATOR} -g gather -f ${name} -n ${name} -o ${WORK} -e assembly
            target=${target}-no_asserts-no_bounds_query-no_runtime d_out=128 tables=8 bits=4 d_tile=128 vector_bytes=${vector_bytes}
            prefetch_tables=2 ${ARGN}
    RESULT_VARIABLE result ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${GENERATOR}: ${errors}")
  endif()
  file(READ ${WORK}/${name}.s code)
  string(REGEX REPLACE "[\r\n]+${name}:" "\n${name}:" code "${code}")
  string(FIND "${code}" "\n${name}:" begin)
  string(SUBSTRING "${code}" ${begin} -1 code)
  string(FIND "${code}" ".Lfunc_end" end)
  string(SUBSTRING "${code}" 0 ${end} code)
  set(code "${code}" PARENT_SCOPE)
endfunction()

function(must_have name pattern)
  if(NOT code MATCHES "${pattern}")
    message(FATAL_ERROR "${name}: no ${pattern} in ${WORK}/${name}.s")
  endif()
endfunction()
function(must_not_have name pattern)
  if(code MATCHES "${pattern}")
    message(FATAL_ERROR "${name}: ${CMAKE_MATCH_0} in ${WORK}/${name}.s")
  endif()
endfunction()

# Vectors as long as registers, shorter, and so long that they are cut up.
foreach(vector_bytes 32 16 128)
  set(name gather_${vector_bytes})
  gather(${name} x86-64-linux-sse41-avx-avx2-f16c-fma ${vector_bytes})
  set(register ymm)
  if(vector_bytes EQUAL 16)
    set(register xmm)
  endif()
  must_have(${name} "vfmadd[0-9]+ps[^\n]*%${register}")
  must_have(${name} "prefetcht0")
  must_not_have(${name} "vfmadd[0-9]+ss|call|v?insertps")
endforeach()

if(HALIDE GREATER_EQUAL 19)
  # Registers of any length: whole ones, and none that is put together of parts.
  gather(gather_sve2 arm-64-linux-arm_dot_prod-vector_bits_256 32)
  must_have(gather_sve2 "fmla\tz[0-9]+[.]s")
  must_have(gather_sve2 "ld1w\t")
  must_have(gather_sve2 "prfm")
  must_not_have(gather_sve2 "splice|fmla\tv|fmadd\t|\tbl\t|ext\tz")
  gather(gather_rvv riscv-64-linux-rvv-vector_bits_65536 16)
  must_have(gather_rvv "vfmacc[.]v")
  must_not_have(gather_rvv "fmadd[.]s|call|vslide|vmerge")
  # Four bytes fit an eighth of a register where it has 256 bits, but not where it has 128.
  gather(gather_rvv_i4 riscv-64-linux-rvv-vector_bits_65536 16 table_type=i4)
  must_have(gather_rvv_i4 "e8, mf4")
  must_not_have(gather_rvv_i4 "mf8|call")
endif()
