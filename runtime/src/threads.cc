#include "threads.h"

#include "failure.h"
#include "status.h"
#include "thread_pool.h"

using namespace lookupffn;

lookupffn_threads::lookupffn_threads(size_t threads)
    : count(threads), pool(threads > 1 ? new ThreadPool(threads - 1) : nullptr) {}

lookupffn_threads::lookupffn_threads(lookupffn_parallel_for function, void* data, size_t threads)
    : count(threads), parallel_for(function), parallel_for_pool(data) {}

lookupffn_threads::~lookupffn_threads() = default;

void lookupffn_threads::run(size_t tasks, void (*task)(void* data, size_t i), void* data) {
  if (tasks > 1 && parallel_for) {
    parallel_for(parallel_for_pool, tasks, task, data);
  } else if (tasks > 1 && pool) {
    pool->run(tasks, task, data);
  } else {
    for (size_t i = 0; i < tasks; ++i) task(data, i);
  }
}

namespace lookupffn {

lookupffn_threads* default_threads() {
  // Never destroyed: a forward may be under way when the process ends.
  static lookupffn_threads* threads = new lookupffn_threads(lookupffn_default_thread_count());
  return threads;
}

}  // namespace lookupffn

extern "C" {

lookupffn_status lookupffn_threads_create(size_t count, lookupffn_threads** threads) {
  return guard([&] {
    if (!threads) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_threads_create: threads is NULL");
    *threads = nullptr;
    if (count > 4096) {
      throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_threads_create: " + std::to_string(count) + " threads; at most 4096");
    }
    *threads = new lookupffn_threads(count ? count : lookupffn_default_thread_count());
  });
}

lookupffn_status lookupffn_threads_wrap(lookupffn_parallel_for parallel_for, void* pool, size_t count,
                                        lookupffn_threads** threads) {
  return guard([&] {
    if (!threads) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_threads_wrap: threads is NULL");
    *threads = nullptr;
    if (!parallel_for) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_threads_wrap: parallel_for is NULL");
    if (count == 0 || count > 4096) {
      throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_threads_wrap: count is " + std::to_string(count) + "; 1 to 4096");
    }
    *threads = new lookupffn_threads(parallel_for, pool, count);
  });
}

size_t lookupffn_threads_count(const lookupffn_threads* threads) {
  return threads ? threads->count : default_threads()->count;
}

void lookupffn_threads_free(lookupffn_threads* threads) { delete threads; }

}  // extern "C"
