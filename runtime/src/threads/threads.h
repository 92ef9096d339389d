// Running a kernel's tiles in parallel.
#ifndef LOOKUPFFN_THREADS_H
#define LOOKUPFFN_THREADS_H

#include <cstddef>
#include <memory>

#include "lookupffn/lookupffn.h"

namespace lookupffn {

class ThreadPool;

// The process's default pool, made at first use and never destroyed; a fork's child makes one of its own. Of as many
// threads as the system starts: the caller alone where it starts none or memory is short.
lookupffn_threads* default_threads() noexcept;

}  // namespace lookupffn

struct lookupffn_threads {
  size_t count = 1;                               // threads, the caller among them
  std::unique_ptr<lookupffn::ThreadPool> pool;    // ours, or
  lookupffn_parallel_for parallel_for = nullptr;  // the application's
  void* parallel_for_pool = nullptr;

  // A pool of ours, of up to so many threads: as many as the system starts.
  explicit lookupffn_threads(size_t threads);
  lookupffn_threads(lookupffn_parallel_for function, void* data, size_t threads);
  ~lookupffn_threads();

  // Whether its workers stayed behind in a fork: it runs everything on the caller.
  bool inherited() const;

  // task(i) for each i in 0..tasks-1; returns when all have returned. task must not throw.
  template <class Task>
  void run(size_t tasks, Task task) {
    run(
        tasks, [](void* data, size_t i) { (*static_cast<Task*>(data))(i); }, &task);
  }

 private:
  void run(size_t tasks, void (*task)(void* data, size_t i), void* data);
};

#endif
