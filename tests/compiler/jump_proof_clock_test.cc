// Limits and budgets go by time that passed, whatever the clock shows.
#include "jump_proof_clock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace lookupffn {
namespace {

using namespace std::chrono_literals;

TEST(StepSum, IsWhatAGoodClockShows) {
  StepSum sum(100s);
  EXPECT_EQ(sum.add(100s), 0s);
  EXPECT_EQ(sum.add(101s), 1s);
  EXPECT_EQ(sum.add(105s), 5s);
}

TEST(StepSum, JumpsAreNoTime) {
  StepSum sum(100s);
  EXPECT_EQ(sum.add(101s), 1s);
  EXPECT_EQ(sum.add(1101s), 1s + 50ms);
  EXPECT_EQ(sum.add(1102s), 2s + 50ms);
  EXPECT_EQ(sum.add(-5000s), 2s + 50ms);
  EXPECT_EQ(sum.add(-4999s), 3s + 50ms);
}

TEST(StepSum, AClockThatAlwaysJumpsForwardStillGoesOn) {
  StepSum sum(0s);
  for (int i = 1; i <= 100; ++i) sum.add(i * 1000s);
  EXPECT_EQ(sum.add(100000s), 5s);
}

// Threads that read it in turn see no jumps in each other's readings.
TEST(JumpProofClock, KeepsUpWithTheSteadyClock) {
  const auto before = std::chrono::steady_clock::now();
  const auto start = JumpProofClock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (auto last = JumpProofClock::now(), end = last + 100ms; last < end;) {
        const auto now = JumpProofClock::now();
        EXPECT_LE(last, now);
        last = now;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto passed = JumpProofClock::now() - start;
  EXPECT_GE(passed, 100ms);
  EXPECT_LE(passed, std::chrono::steady_clock::now() - before);
}

}  // namespace
}  // namespace lookupffn
