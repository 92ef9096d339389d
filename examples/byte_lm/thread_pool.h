// The threads of this program's own parts: attention, the dense feed-forward twin, logits.
#ifndef BYTE_LM_THREAD_POOL_H
#define BYTE_LM_THREAD_POOL_H

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace byte_lm {

class ThreadPool {
 public:
  // `count` threads, the caller of run() among them.
  explicit ThreadPool(size_t count);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t count() const { return workers_.size() + 1; }

  // Calls task(i) for i in 0..tasks-1 and returns when all are done. From one thread at a time; tasks
  // must not throw.
  void run(size_t tasks, const std::function<void(size_t)>& task);

 private:
  void take_tasks(std::unique_lock<std::mutex>* lock);

  std::mutex mutex_;
  std::condition_variable work_, done_;
  const std::function<void(size_t)>* task_ = nullptr;
  size_t next_ = 0, tasks_ = 0, unfinished_ = 0;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

// Splits 0..items-1 into runs of at most `grain` and calls body(first, count) for each, in parallel.
void parallel_ranges(ThreadPool* pool, size_t items, size_t grain, const std::function<void(size_t first, size_t count)>& body);

}  // namespace byte_lm
#endif
