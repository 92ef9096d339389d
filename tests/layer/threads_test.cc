// Our pool: every task once, whatever the counts, from many callers, nested; and the default number of threads.
#include "threads.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "lookupffn/lookupffn.hpp"

namespace lookupffn {
namespace {

void expect_each_once(lookupffn_threads& threads, size_t tasks) {
  std::vector<std::atomic<int>> runs(tasks);
  threads.run(tasks, [&](size_t i) { ++runs[i]; });
  for (size_t i = 0; i < tasks; ++i) ASSERT_EQ(runs[i], 1) << "task " << i << " of " << tasks;
}

TEST(ThreadPool, RunsEachTaskOnce) {
  for (const size_t count : {1, 2, 3, 8}) {
    const Threads threads(count);
    EXPECT_EQ(threads.count(), count);
    for (const size_t tasks : {0, 1, 2, 3, 7, 8, 100, 5000}) expect_each_once(*threads.get(), tasks);
  }
}

TEST(ThreadPool, RunsManyShortBatches) {
  const Threads threads(3);
  std::atomic<size_t> sum{0};
  for (size_t batch = 0; batch < 20000; ++batch) threads.get()->run(2 + batch % 3, [&](size_t i) { sum += i; });
  size_t expected = 0;
  for (size_t batch = 0; batch < 20000; ++batch) expected += batch % 3 == 0 ? 1 : batch % 3 == 1 ? 3 : 6;
  EXPECT_EQ(sum, expected);
}

TEST(ThreadPool, WakesAfterSleep) {
  const Threads threads(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // far beyond what workers spin for
    expect_each_once(*threads.get(), 10);
  }
}

TEST(ThreadPool, NestedRunsRun) {
  const Threads threads(3);
  std::atomic<size_t> runs{0};
  threads.get()->run(6,
                     [&](size_t) { threads.get()->run(5, [&](size_t) { threads.get()->run(2, [&](size_t) { ++runs; }); }); });
  EXPECT_EQ(runs, 60u);
}

TEST(ThreadPool, CallersAtOnceAllGetTheirs) {
  const Threads threads(3);
  std::vector<std::thread> callers;
  std::atomic<size_t> runs{0};
  for (int c = 0; c < 5; ++c) {
    callers.emplace_back([&] {
      for (int batch = 0; batch < 200; ++batch) threads.get()->run(7, [&](size_t) { ++runs; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(runs, 5u * 200 * 7);
}

TEST(ThreadPool, UsesMoreThanOneThread) {
  const Threads threads(2);
  // Two tasks that wait for each other end only on two threads.
  std::atomic<int> arrived{0};
  threads.get()->run(2, [&](size_t) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 2);
}

TEST(ThreadPool, ComesAndGoes) {
  for (int round = 0; round < 50; ++round) {
    const Threads threads(4);
    if (round % 2) expect_each_once(*threads.get(), 8);
  }
}

TEST(ThreadsArguments, AreChecked) {
  lookupffn_threads* threads = reinterpret_cast<lookupffn_threads*>(1);
  EXPECT_EQ(lookupffn_threads_create(5000, &threads), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(threads, nullptr) << "an output after failure";
  EXPECT_NE(std::string(lookupffn_last_message()).find("5000"), std::string::npos) << lookupffn_last_message();
  EXPECT_EQ(lookupffn_threads_create(1, nullptr), LOOKUPFFN_INVALID_ARGUMENT);
  const lookupffn_parallel_for serial = [](void*, size_t count, void (*task)(void*, size_t), void* data) {
    for (size_t i = 0; i < count; ++i) task(data, i);
  };
  EXPECT_EQ(lookupffn_threads_wrap(nullptr, nullptr, 2, &threads), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(lookupffn_threads_wrap(serial, nullptr, 0, &threads), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(lookupffn_threads_wrap(serial, nullptr, 2, nullptr), LOOKUPFFN_INVALID_ARGUMENT);
  ASSERT_EQ(lookupffn_threads_wrap(serial, nullptr, 2, &threads), LOOKUPFFN_OK);
  EXPECT_EQ(lookupffn_threads_count(threads), 2u);
  expect_each_once(*threads, 100);
  lookupffn_threads_free(threads);
  lookupffn_threads_free(nullptr);
  EXPECT_EQ(lookupffn_threads_count(nullptr), default_threads()->count);
}

TEST(DefaultThreadCount, FollowsTheAffinityMask) {
  cpu_set_t whole;
  ASSERT_EQ(sched_getaffinity(0, sizeof whole, &whole), 0);
  const size_t allowed = size_t(CPU_COUNT(&whole));
  EXPECT_GE(lookupffn_default_thread_count(), 1u);
  EXPECT_LE(lookupffn_default_thread_count(), allowed);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &whole)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  const size_t count = lookupffn_default_thread_count();
  const size_t pool = Threads().count();
  ASSERT_EQ(sched_setaffinity(0, sizeof whole, &whole), 0);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(pool, 1u);
}

}  // namespace
}  // namespace lookupffn
