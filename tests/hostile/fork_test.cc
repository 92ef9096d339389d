// fork() copies one thread and every lock: what a child does with the parent's pools and layers.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "load.h"
#include "lookupffn/kernels.h"
#include "lookupffn/lookupffn.hpp"
#include "small_layer.h"

namespace lookupffn::hostile {
namespace {

class Fork : public testing::Test {
 protected:
  void SetUp() override {
    // The thread sanitizer ends a fork's child that starts a thread.
    if (std::string(LOOKUPFFN_TEST_SANITIZER) == "thread") GTEST_SKIP() << "threads in a fork's child";
  }

  const SmallLayer layer_;
};

// Children that start threads themselves.
class ForkAndThreads : public Fork {
 protected:
  void SetUp() override {
    Fork::SetUp();
    if (checks::emulated())
      GTEST_SKIP() << "qemu-user 7.2 aborts where a fork's child starts a thread (qemu_plugin_vcpu_init_hook)";
  }
};

TEST_F(ForkAndThreads, TheDefaultPoolWorksInAChild) {
  ASSERT_EQ(layer_.forward(nullptr), LOOKUPFFN_OK) << lookupffn_last_message();
  EXPECT_EQ(ending_of_child([&] {
              if (lookupffn_threads_count(nullptr) != lookupffn_default_thread_count()) return 2;
              return int(layer_.forward(nullptr));
            }),
            "exit 0");
  EXPECT_EQ(layer_.forward(nullptr), LOOKUPFFN_OK) << "the parent, afterwards";
}

TEST_F(Fork, APoolOfTheParentsWorksInAChildAndIsFreed) {
  for (int round = 0; round < 20; ++round) {
    const Threads threads(4);
    ASSERT_EQ(layer_.forward(threads.get()), LOOKUPFFN_OK) << lookupffn_last_message();
    EXPECT_EQ(ending_of_child(
                  [&] {
                    if (const int status = layer_.forward(threads.get())) return status;
                    lookupffn_threads_free(threads.get());
                    return 0;
                  },
                  20),
              "exit 0");
    EXPECT_EQ(layer_.forward(threads.get()), LOOKUPFFN_OK) << "the parent, afterwards";
  }
}

TEST_F(Fork, APoolWhoseWorkersSleepIsFreedInAChild) {
  const Threads threads(4);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // far beyond what workers spin for
  EXPECT_EQ(ending_of_child(
                [&] {
                  lookupffn_threads_free(threads.get());
                  return 0;
                },
                20),
            "exit 0");
}

TEST_F(ForkAndThreads, AChildHasPoolsOfItsOwnAndChildren) {
  ASSERT_EQ(layer_.forward(nullptr), LOOKUPFFN_OK);
  EXPECT_EQ(ending_of_child([&] {
              const Threads threads(3);
              if (const int status = layer_.forward(threads.get())) return status;
              if (const int status = layer_.forward(nullptr)) return status;
              return ending_of_child([&] {
                       if (const int status = layer_.forward(threads.get())) return status;
                       return int(layer_.forward(nullptr));
                     }) == "exit 0"
                         ? 0
                         : 3;
            }),
            "exit 0");
}

// Makes `rounds` children, one after another, while threads call `called(thread)`: what they have locked stays locked in the
// children. Both functions return a status.
template <class Called, class Child>
void children_while(int threads, const Called& called, int rounds, const Child& child) {
  std::atomic<bool> end{false};
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  for (int thread = 0; thread < threads; ++thread) {
    callers.emplace_back([&, thread] {
      while (!end) failures += called(thread) != LOOKUPFFN_OK;
    });
  }
  for (int round = 0; round < rounds; ++round) {
    const std::string how = ending_of_child(child, 20);
    EXPECT_EQ(how, "exit 0") << "round " << round;
    if (how != "exit 0") break;
  }
  end = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(ForkAndThreads, WhileOtherThreadsForwardOnTheSamePools) {
  const Threads shared(2);
  std::vector<std::vector<float>> y(4, std::vector<float>(layer_.expected.size()));
  children_while(
      3, [&](int thread) { return layer_.forward(thread ? shared.get() : nullptr, y[thread].data()); }, 200,
      [&] {
        if (const int status = layer_.forward(shared.get(), y[3].data())) return status;
        if (const int status = layer_.forward(nullptr, y[3].data())) return status;
        lookupffn_threads_free(shared.get());
        return 0;
      });
}

// Registering, and packing a layer, which asks for what is registered.
TEST_F(Fork, WhileOtherThreadsRegisterKernels) {
  static const lookupffn_kernel_library libraries[3] = {{LOOKUPFFN_KERNEL_ABI_VERSION, 0, "none of the first thread", nullptr},
                                                        {LOOKUPFFN_KERNEL_ABI_VERSION, 0, "none of the second", nullptr},
                                                        {LOOKUPFFN_KERNEL_ABI_VERSION, 0, "none of the child", nullptr}};
  children_while(
      2, [&](int thread) { return lookupffn_register_kernels(&libraries[thread]); }, 100,
      [&] {
        if (const int status = lookupffn_register_kernels(&libraries[2])) return status;
        const Layer again(layer_.model);
        return 0;
      });
}

}  // namespace
}  // namespace lookupffn::hostile
