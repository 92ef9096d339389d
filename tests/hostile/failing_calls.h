/* A library that stands before libc (linked, or by LD_PRELOAD) and lets chosen calls fail: allocations (malloc and its kin, and
 * mmap of memory that is no file's) and starts of threads. */
#ifndef LOOKUPFFN_TESTS_HOSTILE_FAILING_CALLS_H
#define LOOKUPFFN_TESTS_HOSTILE_FAILING_CALLS_H

#ifdef __cplusplus
extern "C" {
#endif

/* From now on allocations number `first` (from 1) to first + count - 1 fail; count 0: none. For a program that is not ours the
 * environment variables FAIL_ALLOCATION (first) and FAIL_ALLOCATIONS (count, 1 where it is not set) say so. */
void fail_allocations(long first, long count);

/* Allocations since fail_allocations was called. */
long allocations_made(void);

/* The same for pthread_create. */
void fail_threads(long first, long count);

#ifdef __cplusplus
}
#endif
#endif
