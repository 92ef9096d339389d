#include "thread_pool.h"

#include <dlfcn.h>

#include <chrono>
#include <thread>

#include "architectures.h"
#include "kernel_stack.h"

namespace lookupffn {
namespace {

// Long enough to bridge the gap between two layers of a model, short enough not to be noticed after the last.
constexpr auto kSpin = std::chrono::microseconds(100);
constexpr uint64_t kTaskMask = (uint64_t(1) << 20) - 1;

// Forks that this process came through, itself the child. A counter, because asking for the process's id is a system call.
std::atomic<uint64_t> forks{0};
const int watching_error = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });

// Workers run this library's code, so it must outlive them: from here on dlclose leaves it in place. Ending them instead when
// it is unloaded would wait for threads inside the loader's lock, and at the process's end pull them from under a forward.
// The library is asked for by an address in it: whether it is liblookupffn.so or one that the archive was linked into.
void keep_loaded() {
  if (!architecture_row(kThisArchitecture).modules) return;
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&forks), &info) == 0 || info.dli_fname == nullptr) return;
  dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);  // NULL where it is the program, which stays anyway
}

// Lets the core's other thread go on, and does not fill the pipeline with guesses, while this one waits.
void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");  // YIELD does nothing on most cores
#elif defined(__riscv)
  __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010");  // PAUSE, a hint that every core takes
#endif
}

}  // namespace

ThreadPool::ThreadPool(size_t workers) : forks_(forks.load(std::memory_order_relaxed)) {
  workers_.reserve(workers);
  start_error_ = watching_error;
  if (start_error_ == 0) keep_loaded();
  while (start_error_ == 0 && workers_.size() < workers) {
    pthread_t worker;
    start_error_ = start_kernel_thread(
        &worker,
        [](void* pool) -> void* {
          trust_this_stack();
          static_cast<ThreadPool*>(pool)->work();
          return nullptr;
        },
        this);
    if (start_error_ == 0) workers_.push_back(worker);
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  { std::lock_guard<std::mutex> lock(sleep_); }
  wake_.notify_all();
  for (const pthread_t worker : workers_) pthread_join(worker, nullptr);
}

bool ThreadPool::inherited() const { return forks.load(std::memory_order_relaxed) != forks_; }

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
  std::unique_lock<std::mutex> busy(busy_, std::defer_lock);
  if (inherited() || workers_.empty() || tasks < 2 || !busy.try_lock()) {
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
