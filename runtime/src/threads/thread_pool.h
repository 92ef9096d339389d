// A pool of threads that starts a batch of tasks within a microsecond while work keeps coming, and sleeps when
// none does.
//
// fork() copies no threads and leaves the pool's locks as they happened to be. So a pool that came through a fork touches
// neither: all its runs are on the calling thread, and it must not be destroyed (lookupffn_threads leaves it behind).
#ifndef LOOKUPFFN_THREAD_POOL_H
#define LOOKUPFFN_THREAD_POOL_H

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace lookupffn {

class ThreadPool {
 public:
  using Task = void (*)(void* data, size_t i);

  // Up to `workers` threads besides the callers of run: as many as the system starts. Throws std::bad_alloc.
  explicit ThreadPool(size_t workers);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t workers() const { return workers_.size(); }
  // Why there are fewer than were asked for: an error number, or 0.
  int start_error() const { return start_error_; }
  // Whether it was made before a fork that this process came from.
  bool inherited() const;

  // task(data, i) for each i in 0..tasks-1, tasks < 2^20, on the workers and the calling thread. Where another
  // thread's run is under way, all on the calling thread.
  void run(size_t tasks, Task task, void* data);

 private:
  // A batch's number, its tasks and the next to start, in one word: a worker that wakes late for a batch that
  // has ended cannot start a task of the next one by mistake.
  static constexpr int kTaskBits = 20;
  static uint64_t pack(uint64_t batch, uint64_t tasks, uint64_t next) {
    return batch << (2 * kTaskBits) | tasks << kTaskBits | next;
  }
  static uint64_t batch_of(uint64_t state) { return state >> (2 * kTaskBits); }

  bool start_one();                    // claims and runs one task of the current batch; false where none is left
  void work();                         // a worker's life
  bool wait_for_batch(uint64_t seen);  // until the batch is not `seen`; false where the pool ends

  std::atomic<uint64_t> state_{0};
  std::atomic<size_t> finished_{0};
  Task task_ = nullptr;  // written before a batch starts, read by those who claimed one of its tasks
  void* data_ = nullptr;

  std::mutex busy_;  // held by the thread whose batch is running
  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<size_t> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::vector<pthread_t> workers_;
  int start_error_ = 0;
  const uint64_t forks_;  // how many this process had come through when the pool was made
};

}  // namespace lookupffn
#endif
