#include "kernel_stack.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "failure.h"

namespace lookupffn {
namespace {

// For the frames above a kernel's: the thread's start, the tasks, a signal handler.
constexpr size_t kRoom = size_t(256) << 10;

struct Bounds {
  uintptr_t low = 0, high = 0;  // both 0: not asked for yet
};

thread_local Bounds known;

// Asked once a thread: for a main thread the answer comes from a file of /proc.
const Bounds& bounds() noexcept {
  if (known.high != 0) return known;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return known;  // no memory for the answer: ask again
  void* low = nullptr;
  size_t bytes = 0;
  if (pthread_attr_getstack(&attributes, &low, &bytes) == 0) {
    known = {reinterpret_cast<uintptr_t>(low), reinterpret_cast<uintptr_t>(low) + bytes};
  }
  pthread_attr_destroy(&attributes);
  return known;
}

}  // namespace

int start_kernel_thread(pthread_t* thread, void* (*body)(void*), void* data) noexcept {
  pthread_attr_t attributes;
  if (const int error = pthread_attr_init(&attributes)) return error;
  size_t bytes = 0;
  pthread_attr_getstacksize(&attributes, &bytes);
  // Where the default is larger it stays: a sanitizer's frames are. A program's thread-local variables come out of a
  // thread's stack; the system's minimum counts them.
  const long least = sysconf(_SC_THREAD_STACK_MIN);
  bytes = std::max(bytes, kKernelStackBytes + kRoom + size_t(std::max(0L, least)));
  int error = pthread_attr_setstacksize(&attributes, bytes);
  if (error == 0) error = pthread_create(thread, &attributes, body, data);
  pthread_attr_destroy(&attributes);
  return error;
}

void trust_this_stack() noexcept { known = {0, UINTPTR_MAX}; }

bool has_kernel_stack() noexcept {
  const uintptr_t here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  const Bounds& stack = bounds();
  if (here < stack.low || here >= stack.high) return true;
  return here - stack.low >= kKernelStackBytes;
}

void run_on_kernel_thread(void* (*body)(void*), void* data) {
  pthread_t thread;
  if (const int error = start_kernel_thread(&thread, body, data)) {
    throw Failure(LOOKUPFFN_OUT_OF_MEMORY, "kernels need " + std::to_string(kKernelStackBytes >> 10) +
                                               " KiB of stack, the calling thread has less, and a "
                                               "thread with more cannot be started (" +
                                               std::strerror(error) +
                                               "): give the caller a larger stack (ulimit -s, "
                                               "pthread_attr_setstacksize)");
  }
  pthread_join(thread, nullptr);
}

}  // namespace lookupffn
