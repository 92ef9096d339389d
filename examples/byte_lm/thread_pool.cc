#include "thread_pool.h"

#include <algorithm>

namespace byte_lm {

ThreadPool::ThreadPool(size_t count) {
  for (size_t i = 1; i < count; ++i) {
    workers_.emplace_back([this] {
      std::unique_lock<std::mutex> lock(mutex_);
      while (true) {
        work_.wait(lock, [this] { return stop_ || next_ < tasks_; });
        if (stop_) return;
        take_tasks(&lock);
      }
    });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::take_tasks(std::unique_lock<std::mutex>* lock) {
  while (next_ < tasks_) {
    const size_t mine = next_++;
    const std::function<void(size_t)>* task = task_;
    lock->unlock();
    (*task)(mine);
    lock->lock();
    if (--unfinished_ == 0) done_.notify_all();
  }
}

void ThreadPool::run(size_t tasks, const std::function<void(size_t)>& task) {
  if (workers_.empty() || tasks < 2) {
    for (size_t i = 0; i < tasks; ++i) task(i);
    return;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  task_ = &task;
  next_ = 0;
  tasks_ = unfinished_ = tasks;
  work_.notify_all();
  take_tasks(&lock);
  done_.wait(lock, [this] { return unfinished_ == 0; });
}

void parallel_ranges(ThreadPool* pool, size_t items, size_t grain,
                     const std::function<void(size_t first, size_t count)>& body) {
  pool->run((items + grain - 1) / grain, [&](size_t i) {
    const size_t first = i * grain;
    body(first, std::min(grain, items - first));
  });
}

}  // namespace byte_lm
