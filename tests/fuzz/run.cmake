# cmake -DFUZZ=program -DSOURCE=tests/fuzz -DWORK=folder [-DCORPUS=corpus -DMAX_LEN=4096 -DSECONDS=20 -DRUNS=20000] -P run.cmake: a bounded run.
if(NOT SECONDS)
  set(SECONDS 20)
endif()
if(NOT RUNS)
  set(RUNS 20000)
endif()
if(NOT CORPUS)
  set(CORPUS corpus)
endif()
if(NOT MAX_LEN)
  set(MAX_LEN 4096)
endif()
file(REMOVE_RECURSE ${WORK})
file(COPY ${SOURCE}/${CORPUS} DESTINATION ${WORK})
execute_process(
  COMMAND ${FUZZ} -runs=${RUNS} -max_total_time=${SECONDS} -seed=1 -timeout=10 -rss_limit_mb=2048 -max_len=${MAX_LEN}
          -dict=${SOURCE}/${CORPUS}.dict -print_final_stats=1 -artifact_prefix=${WORK}/ ${WORK}/${CORPUS}
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the fuzzer found a failure (${result}); its input is in ${WORK}")
endif()
