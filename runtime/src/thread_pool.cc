#include "thread_pool.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lookupffn {
namespace {

// Long enough to bridge the gap between two layers of a model, short enough not to be noticed after the last.
constexpr auto kSpin = std::chrono::microseconds(100);
constexpr uint64_t kTaskMask = (uint64_t(1) << 20) - 1;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(size_t workers) {
  try {
    for (size_t i = 0; i < workers; ++i) workers_.emplace_back([this] { work(); });
  } catch (...) {
    stop_ = true;
    { std::lock_guard<std::mutex> lock(sleep_); }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  { std::lock_guard<std::mutex> lock(sleep_); }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

bool ThreadPool::start_one() {
  uint64_t state = state_.load(std::memory_order_acquire);
  for (;;) {
    const uint64_t next = state & kTaskMask, tasks = state >> kTaskBits & kTaskMask;
    if (next >= tasks) return false;
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
      task_(data_, size_t(next));
      finished_.fetch_add(1, std::memory_order_acq_rel);
      return true;
    }
  }
}

bool ThreadPool::wait_for_batch(uint64_t seen) {
  const auto changed = [&] {
    return stop_.load(std::memory_order_acquire) || batch_of(state_.load(std::memory_order_acquire)) != seen;
  };
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (changed()) return !stop_;
      pause();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  std::unique_lock<std::mutex> lock(sleep_);
  sleepers_.fetch_add(1);
  wake_.wait(lock, [&] { return stop_.load() || batch_of(state_.load()) != seen; });
  sleepers_.fetch_sub(1);
  return !stop_;
}

void ThreadPool::work() {
  uint64_t seen = 0;
  while (wait_for_batch(seen)) {
    seen = batch_of(state_.load(std::memory_order_acquire));
    while (start_one()) {
    }
  }
}

void ThreadPool::run(size_t tasks, Task task, void* data) {
  std::unique_lock<std::mutex> busy(busy_, std::try_to_lock);
  if (!busy.owns_lock() || workers_.empty() || tasks < 2) {
    for (size_t i = 0; i < tasks; ++i) task(data, i);
    return;
  }
  task_ = task;
  data_ = data;
  finished_.store(0, std::memory_order_relaxed);
  // 24 bits of batch number: a worker would have to sleep through 2^24 batches to mistake one for another, and
  // would then only miss it.
  state_.store(pack((batch_of(state_.load(std::memory_order_relaxed)) + 1) & 0xffffff, tasks, 0));
  if (sleepers_.load() > 0) {
    { std::lock_guard<std::mutex> lock(sleep_); }
    wake_.notify_all();
  }
  while (start_one()) {
  }
  for (int spins = 0; finished_.load(std::memory_order_acquire) < tasks; ++spins) {
    if (spins < 4096) {
      pause();
    } else {
      std::this_thread::yield();  // more threads than cores: let the one that we wait for run
    }
  }
}

}  // namespace lookupffn
