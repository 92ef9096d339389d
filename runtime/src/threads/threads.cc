#include "threads.h"

#include <atomic>
#include <cstring>
#include <new>
#include <string>

#include "default_thread_count.h"
#include "failure.h"
#include "status.h"
#include "thread_pool.h"

using namespace lookupffn;

lookupffn_threads::lookupffn_threads(size_t threads) : pool(threads > 1 ? new ThreadPool(threads - 1) : nullptr) {
  if (pool) count = pool->workers() + 1;
}

lookupffn_threads::lookupffn_threads(lookupffn_parallel_for function, void* data, size_t threads)
    : count(threads), parallel_for(function), parallel_for_pool(data) {}

lookupffn_threads::~lookupffn_threads() {
  if (inherited()) pool.release();  // there is nobody to wait for
}

bool lookupffn_threads::inherited() const { return pool && pool->inherited(); }

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

namespace {

// Needs no memory, and is never destroyed.
lookupffn_threads* caller_alone() noexcept {
  alignas(lookupffn_threads) static unsigned char place[sizeof(lookupffn_threads)];
  static lookupffn_threads* const threads = new (place) lookupffn_threads(1);
  return threads;
}

}  // namespace

lookupffn_threads* default_threads() noexcept {
  // Never destroyed: a forward may be under way when the process ends. No lock: a fork would copy it locked.
  static std::atomic<lookupffn_threads*> current{nullptr};
  lookupffn_threads* threads = current.load(std::memory_order_acquire);
  if (threads && !threads->inherited()) return threads;
  try {
    auto made = std::make_unique<lookupffn_threads>(default_thread_count());
    if (current.compare_exchange_strong(threads, made.get(), std::memory_order_acq_rel)) return made.release();
    return threads;  // another thread was first
  } catch (...) {
    return caller_alone();  // and try again next time
  }
}

}  // namespace lookupffn

extern "C" {

lookupffn_status lookupffn_threads_create(size_t count, lookupffn_threads** threads) {
  return guard([&] {
    if (!threads) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_threads_create: threads is NULL");
    *threads = nullptr;
    if (count > 4096) {
      throw Failure(LOOKUPFFN_INVALID_ARGUMENT,
                    "lookupffn_threads_create: " + std::to_string(count) + " threads; at most 4096");
    }
    const size_t wanted = count ? count : default_thread_count();
    auto made = std::make_unique<lookupffn_threads>(wanted);
    if (made->count < wanted) {
      throw Failure(LOOKUPFFN_OUT_OF_MEMORY, "lookupffn_threads_create: of " + std::to_string(wanted) +
                                                 " threads the system starts only " + std::to_string(made->count) + " (" +
                                                 std::strerror(made->pool->start_error()) +
                                                 "): ask for fewer, or raise the limit of processes (ulimit -u) or of memory");
    }
    *threads = made.release();
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

size_t lookupffn_default_thread_count(void) { return default_thread_count(); }

size_t lookupffn_threads_count(const lookupffn_threads* threads) { return threads ? threads->count : default_threads()->count; }

void lookupffn_threads_free(lookupffn_threads* threads) { delete threads; }

}  // extern "C"
