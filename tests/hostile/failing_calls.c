#define _GNU_SOURCE
#include "failing_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own, under the names that it keeps for the purpose. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

struct calls {
  atomic_long made, first, count;
};
static struct calls allocations, threads;

static void set(struct calls *calls, long first, long count) {
  atomic_store(&calls->count, 0);
  atomic_store(&calls->first, first);
  atomic_store(&calls->made, 0);
  atomic_store(&calls->count, count);
}

static int fails(struct calls *calls) {
  const long number = atomic_fetch_add(&calls->made, 1) + 1, first = atomic_load(&calls->first);
  return number >= first && number - first < atomic_load(&calls->count);
}

void fail_allocations(long first, long count) { set(&allocations, first, count); }
long allocations_made(void) { return atomic_load(&allocations.made); }
void fail_threads(long first, long count) { set(&threads, first, count); }

__attribute__((constructor)) static void read_environment(void) {
  const char *first = getenv("FAIL_ALLOCATION"), *count = getenv("FAIL_ALLOCATIONS");
  if (first) fail_allocations(atol(first), count ? atol(count) : 1);
}

static void *no_memory(void) {
  errno = ENOMEM;
  return NULL;
}

void *malloc(size_t size) { return fails(&allocations) ? no_memory() : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails(&allocations) ? no_memory() : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return fails(&allocations) ? no_memory() : __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { return fails(&allocations) ? no_memory() : __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **memory, size_t alignment, size_t size) {
  void *const got = memalign(alignment, size);
  if (!got) return ENOMEM;
  *memory = got;
  return 0;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  if ((flags & MAP_ANONYMOUS) && fails(&allocations)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *data) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (fails(&threads)) return EAGAIN;
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  return real(thread, attributes, body, data);
}
