// Kernels keep their intermediate values on the stack, more than some threads have.
#ifndef LOOKUPFFN_KERNEL_STACK_H
#define LOOKUPFFN_KERNEL_STACK_H

#include <pthread.h>

#include <cstddef>

namespace lookupffn {

// What kernels need of a stack at most; lookupffn.h and README.md tell users.
constexpr size_t kKernelStackBytes = size_t(768) << 10;

// Starts a thread with a stack for kernels, whatever the process's default is; 0 or the error number.
int start_kernel_thread(pthread_t* thread, void* (*body)(void*), void* data) noexcept;

// For a thread that start_kernel_thread started: spares it the question, for whose answer the system allocates.
void trust_this_stack() noexcept;

// Whether what is left of this thread's stack is enough. True where it cannot be known: on a stack of the application's own
// making (a coroutine's).
bool has_kernel_stack() noexcept;

// Runs body() on a thread made for it and waits. body must not throw. Throws Failure (LOOKUPFFN_OUT_OF_MEMORY) where none
// can be had.
void run_on_kernel_thread(void* (*body)(void*), void* data);

// Runs body() here or, where the stack is too small, on a thread made for it. body must not throw.
template <class Body>
void on_kernel_stack(Body body) {
  if (has_kernel_stack()) {
    body();
  } else {
    run_on_kernel_thread(
        [](void* data) -> void* {
          (*static_cast<Body*>(data))();
          return nullptr;
        },
        &body);
  }
}

}  // namespace lookupffn
#endif
