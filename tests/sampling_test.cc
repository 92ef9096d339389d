// Timing in turn: early ends, clocks that jump.
#include "measure/sampling.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lookupffn {
namespace {

SamplePairs run(double incumbent, double candidate, const SamplingOptions& options) {
  double clock = 0;
  return sample_in_turn(
      [&](int which) {
        clock += 1e-3;
        return which == 0 ? incumbent : candidate;
      },
      options, [&] { return clock; });
}

TEST(Sampling, TheHopelessEndAfterThree) {
  const SamplePairs pairs = run(100, 200, {});
  EXPECT_TRUE(pairs.ended_early);
  EXPECT_EQ(pairs.candidate.size(), 3u);
}

TEST(Sampling, TheSlowerEndAfterSevenAndTheGoodGetAll) {
  EXPECT_EQ(run(100, 108, {}).candidate.size(), 7u);
  const SamplePairs good = run(100, 90, {});
  EXPECT_FALSE(good.ended_early);
  EXPECT_EQ(good.candidate.size(), 15u);
  EXPECT_EQ(good.incumbent.size(), 15u);
}

TEST(Sampling, TheBestGetThreeTimesAsMany) {
  SamplingOptions options;
  options.good = 0.95;
  EXPECT_EQ(run(100, 90, options).candidate.size(), 45u);
  EXPECT_EQ(run(100, 97, options).candidate.size(), 15u);
}

TEST(Sampling, NoEarlyEndWhereNotAllowed) {
  SamplingOptions options;
  options.may_end_early = false;
  EXPECT_EQ(run(100, 300, options).candidate.size(), 15u);
}

TEST(Sampling, TimeEndsIt) {
  SamplingOptions options;
  options.seconds = 0.01;
  EXPECT_LT(run(100, 100, options).candidate.size(), 15u);
}

TEST(Sampling, AClockThatJumpsIsNoise) {
  int call = 0;
  const SamplePairs pairs = sample_in_turn(
      [&](int) -> double {
        ++call;
        if (call % 10 == 3) return -5e9;  // set back
        if (call % 10 == 6) return 4e15;  // set forward
        if (call % 17 == 0) return NAN;
        return 100;
      },
      {}, [] { return 0.0; });
  EXPECT_EQ(pairs.candidate.size(), 15u);
  EXPECT_GT(pairs.noise, 0);
  for (const double ns : pairs.candidate) EXPECT_EQ(ns, 100);
  for (const double ns : pairs.incumbent) EXPECT_EQ(ns, 100);
}

TEST(Sampling, AClockThatNeverWorksEnds) {
  const SamplePairs pairs = sample_in_turn([](int) { return 0.0; }, {}, [] { return 0.0; });
  EXPECT_TRUE(pairs.candidate.empty());
}

TEST(Median, OddEvenNone) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({}), 0);
}

}  // namespace
}  // namespace lookupffn
