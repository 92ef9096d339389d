// Which parameters a kernel's time depends on, over trials whose answer is known.
#include "winner_report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace lookupffn {
namespace {

Trial trial(const std::string& tile, const std::string& unroll, double cost) {
  Trial one;
  one.spec.kernel = "hash";
  one.spec.isa = "avx2";
  one.spec.batch_class = "small";
  one.spec.problem = {{"bits", "8"}};
  one.tokens = 64;
  one.schedule = {{"tile", tile}, {"unroll", unroll}, {"fixed", "1"}};
  one.cost = cost;
  return one;
}

// tile alone decides; unroll does nothing.
std::vector<Trial> trials_of_a_tile() {
  std::vector<Trial> trials;
  for (int round = 0; round < 3; ++round) {
    for (const char* unroll : {"1", "2"}) {
      trials.push_back(trial("4", unroll, 1.00));
      trials.push_back(trial("8", unroll, 0.80));
      trials.push_back(trial("16", unroll, 1.60));
    }
  }
  return trials;
}

TEST(WinnerReport, FindsTheParameterThatDecides) {
  const std::vector<ParameterEffect> effects = parameter_effects(trials_of_a_tile());
  ASSERT_EQ(effects.size(), 2u) << "one that never changes is left out";
  EXPECT_EQ(effects[0].name, "tile");
  EXPECT_EQ(effects[0].best, "8");
  EXPECT_NEAR(effects[0].share, 1, 1e-9);
  EXPECT_NEAR(effects[0].worst_ratio, 2, 1e-9);
  EXPECT_EQ(effects[1].name, "unroll");
  EXPECT_NEAR(effects[1].share, 0, 1e-9);
}

TEST(WinnerReport, LeavesOutFailuresAndFewTrials) {
  std::vector<Trial> trials = trials_of_a_tile();
  Trial failed = trial("32", "1", 0);
  failed.status = TrialStatus::kCrash;
  trials.push_back(failed);
  EXPECT_NEAR(parameter_effects(trials)[0].worst_ratio, 2, 1e-9);
  trials.resize(7);
  EXPECT_TRUE(parameter_effects(trials).empty());
  EXPECT_TRUE(parameter_effects({}).empty());
  EXPECT_EQ(effects_picture({}), "");
  EXPECT_EQ(winner_text({}), "");
}

TEST(WinnerReport, SaysItInWordsWithTheCounters) {
  std::vector<Trial> trials = trials_of_a_tile();
  for (Trial& one : trials) one.counters = {{"cycles", 1000}, {"instructions", 2500}, {"l2_misses", 12}};
  const std::string text = winner_text(trials);
  EXPECT_NE(text.find("100 % of the variance: tile (best 8; its worst value takes 2.00 times its best)"), std::string::npos)
      << text;
  EXPECT_EQ(text.find("unroll"), std::string::npos);
  EXPECT_NE(text.find("1000 cycles a token, 2.50 instructions a cycle, 12 misses of the L2"), std::string::npos) << text;
  const std::string picture = effects_picture(trials);
  EXPECT_EQ(picture.compare(0, 5, "<svg "), 0);
  EXPECT_NE(picture.find("tile = 8"), std::string::npos);
}

}  // namespace
}  // namespace lookupffn
