// Timing in turn: early ends, clocks that jump.
#include "measure/sampling.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lookupffn {
namespace {

SamplePairs run(double incumbent, double candidate, const SamplingOptions& options, double seconds = 1e-3) {
  double clock = 0;
  return sample_in_turn(
      [&](int which) {
        clock += seconds;
        return which == 0 ? incumbent : candidate;
      },
      options, [&] { return clock; });
}

TEST(Sampling, TheHopelessEndAfterThree) {
  const SamplePairs pairs = run(100, 200, {});
  EXPECT_TRUE(pairs.ended_early);
  EXPECT_EQ(pairs.candidate.size(), 3u);
}

TEST(Sampling, TheHopelessWhoseCallsTakeLongEndAfterOne) {
  const SamplePairs pairs = run(100, 160, {}, 0.1);
  EXPECT_TRUE(pairs.ended_early);
  EXPECT_EQ(pairs.candidate.size(), 1u);
  EXPECT_EQ(run(100, 140, {}, 0.1).candidate.size(), 3u);
  EXPECT_GE(run(100, 1e6, {}, 0.1).candidate.size(), 3u);  // a clock that jumped
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

// By less than what no clock can mean: the other samples show that it cannot be.
TEST(Sampling, SmallerJumpsShowBesideTheOthers) {
  int call = 0;
  const SamplePairs pairs = sample_in_turn(
      [&](int which) -> double {
        ++call;
        if (call == 2 || call == 15) return 9e11;
        if (call == 9 || call == 20) return 9;
        return 100 + which;
      },
      {}, [] { return 0.0; });
  EXPECT_EQ(pairs.noise, 4);
  EXPECT_EQ(pairs.candidate, std::vector<double>(15, 101));
  EXPECT_EQ(pairs.incumbent, std::vector<double>(15, 100));
}

// Nor do jumps decide how many samples there are.
TEST(Sampling, AClockThatJumpsDoesNotEndIt) {
  for (const double jump : {1000.0, -1000.0}) {
    SamplingOptions options;
    options.seconds = 0.05;
    double clock = 0;
    int call = 0;
    const SamplePairs pairs = sample_in_turn(
        [&](int which) -> double {
          clock += ++call == 6 ? jump : 2e-3;
          return 100 - which;
        },
        options, [&] { return clock; });
    EXPECT_GE(pairs.candidate.size(), 12u) << jump;
    EXPECT_LE(pairs.candidate.size(), 14u) << jump;
  }
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
