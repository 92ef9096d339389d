// Callers and processes with less stack than kernels need.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

#include "child_process.h"
#include "kernel_stack.h"
#include "lookupffn/lookupffn.hpp"
#include "small_layer.h"
#include "threads.h"

namespace lookupffn::hostile {
namespace {

// A thread's least stack that is tried: less is an error of pthread_attr_setstack, on 64-bit Arm below 128 KiB.
size_t least_stack() { return std::max(size_t(64) << 10, size_t(sysconf(_SC_THREAD_STACK_MIN))); }

lookupffn_shape wide() { return reference::bh4_shape(8192, 64, 16, 8, 64); }

// Runs body() on a thread with so much stack and not a byte more: glibc would reuse a larger stack of a thread that ended.
template <class Body>
void on_stack_of(size_t bytes, Body body) {
  const size_t guard = 64 << 10;
  void* const memory = ::mmap(nullptr, guard + bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  void* const stack = static_cast<char*>(memory) + guard;
  ASSERT_EQ(::mprotect(stack, bytes, PROT_READ | PROT_WRITE), 0);
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstack(&attributes, stack, bytes), 0);
  pthread_t thread;
  const auto start = [](void* data) -> void* {
    (*static_cast<Body*>(data))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, start, &body), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
  ::munmap(memory, guard + bytes);
}

class SmallStack : public testing::Test {
 protected:
  void SetUp() override {
    if (*LOOKUPFFN_TEST_SANITIZER) GTEST_SKIP() << "a sanitizer's frames are larger";
  }
};

TEST_F(SmallStack, OfTheCaller) {
  for (const IsaInfo& isa : isas()) {
    if (!isa.built_in || !isa.runnable) continue;
    force_isa(isa.name);
    const SmallLayer layer(wide());
    const Threads three(3);
    std::vector<float> y(layer.expected.size());
    for (const size_t bytes : {least_stack(), size_t(256) << 10, size_t(800) << 10, size_t(1) << 20}) {
      on_stack_of(bytes, [&] {
        EXPECT_EQ(layer.forward(three.get(), y.data()), LOOKUPFFN_OK) << isa.name << ", " << bytes;
        EXPECT_EQ(layer.forward(nullptr, y.data()), LOOKUPFFN_OK) << isa.name << ", " << bytes;
        EXPECT_EQ(lookupffn_hash(layer.layer.get(), nullptr, layer.x.data(), 8192, nullptr, y.data(), 1), LOOKUPFFN_OK);
      });
    }
  }
  unforce_isa();
}

// An application's pool may have threads of any size.
TEST_F(SmallStack, OfAnApplicationsPool) {
  const SmallLayer layer(wide());
  const lookupffn_parallel_for on_small_threads = [](void*, size_t count, void (*task)(void*, size_t), void* data) {
    for (size_t i = 0; i < count; ++i) on_stack_of(least_stack(), [=] { task(data, i); });
  };
  const Threads threads(on_small_threads, nullptr, 3);
  EXPECT_EQ(layer.forward(threads.get()), LOOKUPFFN_OK) << lookupffn_last_message();
}

// Writes to as much stack as kernels may.
__attribute__((noinline)) char use_kernel_stack() {
  volatile char bytes[kKernelStackBytes - (8 << 10)];
  for (size_t i = 0; i < sizeof bytes; i += 1024) bytes[sizeof bytes - 1 - i] = char(i);
  return bytes[0];
}

// Whatever a program's threads get by default, which is what `ulimit -s` was when it started.
TEST_F(SmallStack, OfThreadsByDefault) {
  const std::string how = ending_of_child([] {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, size_t(128) << 10) != 0 ||
        pthread_setattr_default_np(&attributes) != 0) {
      return 2;
    }
    const Threads threads(4);
    std::atomic<int> elsewhere{0};
    const pthread_t caller = pthread_self();
    for (int round = 0; round < 1000 && elsewhere < 10; ++round) {
      threads.get()->run(16, [&](size_t) {
        use_kernel_stack();
        elsewhere += !pthread_equal(caller, pthread_self());
      });
    }
    return elsewhere > 0 ? 0 : 3;
  });
  EXPECT_EQ(how, "exit 0");
}

TEST_F(SmallStack, WorkMovesToALargerOne) {
  for (const size_t bytes : {least_stack(), size_t(128) << 10, size_t(512) << 10, size_t(768) << 10, size_t(800) << 10}) {
    on_stack_of(bytes, [&] {
      bool same = true;
      const pthread_t caller = pthread_self();
      on_kernel_stack([&] {
        use_kernel_stack();
        same = pthread_equal(caller, pthread_self());
      });
      EXPECT_EQ(same, bytes == size_t(800) << 10) << bytes;
    });
  }
}

// The limit of the process is what its threads get by default. The tool is the process.
TEST_F(SmallStack, OfTheProcess) {
  const std::string golden = std::string(LOOKUPFFN_TEST_DATA) + "/golden/bh4_d512_t8_b8";
  for (const IsaInfo& isa : isas()) {
    if (!isa.built_in || !isa.runnable) continue;
    for (const char* limit : {"192", "384"}) {
      const std::string command = std::string("ulimit -s ") + limit + " && exec '" + LOOKUPFFN_TEST_TOOL + "' verify '" +
                                  golden + ".model.safetensors' '" + golden + ".io.safetensors' --threads 4 --isa " + isa.name +
                                  " > /dev/null";
      EXPECT_EQ(ending(std::system(command.c_str())), "exit 0") << command;
    }
  }
}

}  // namespace
}  // namespace lookupffn::hostile
