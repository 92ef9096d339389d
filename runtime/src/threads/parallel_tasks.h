// Sharing out work between threads.
#ifndef LOOKUPFFN_PARALLEL_TASKS_H
#define LOOKUPFFN_PARALLEL_TASKS_H

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>

#include "kernel_stack.h"
#include "threads.h"

namespace lookupffn {

// Runs tasks on the threads, on stacks that are large enough for kernels, and passes on the first failure: tasks must not
// throw through a pool.
template <class Task>
void run_tasks(lookupffn_threads& threads, size_t tasks, Task task) {
  if (tasks == 1 && has_kernel_stack()) {
    task(0);
    return;
  }
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  const auto run_one = [&](size_t i) {
    try {
      task(i);
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  };
  threads.run(tasks, [&](size_t i) {
    try {
      on_kernel_stack([&] { run_one(i); });
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  });
  if (failed) std::rethrow_exception(failure);
}

// The i-th of `parts` shares of `total`, in multiples of `grain` but for the last.
struct Share {
  size_t first, count;

  Share(size_t total, size_t parts, size_t i, size_t grain) {
    const size_t grains = (total + grain - 1) / grain;
    first = std::min(total, grains * i / parts * grain);
    count = std::min(total, grains * (i + 1) / parts * grain) - first;
  }
};

}  // namespace lookupffn
#endif
