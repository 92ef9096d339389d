// A budget goes where a model's time goes, and no kernel is left without.
#include <gtest/gtest.h>

#include <numeric>

#include "schedule_spaces.h"
#include "tune.h"
#include "workload.h"

namespace lookupffn {
namespace {

class BudgetTest : public testing::Test {
 protected:
  // One kernel of each class of hash and gather, for one token and for 64.
  BudgetTest() : spaces_({LOOKUPFFN_SCHEDULES}) {
    options_.shapes = {find_workload("small512_t64")};
    options_.isa = "avx2";
    options_.tokens = {1, 64};
    targets_ = tune_targets(options_, spaces_);
  }
  std::vector<double> shares(const std::vector<double>& us) const { return budget_shares(options_, spaces_, targets_, us); }
  size_t target(const std::string& kernel, size_t tokens) const {
    for (size_t i = 0; i < targets_.size(); ++i) {
      if (targets_[i].spec.kernel == kernel && targets_[i].tokens == tokens) return i;
    }
    throw std::runtime_error("no " + kernel);
  }
  ScheduleSpaces spaces_;
  TuneOptions options_;
  std::vector<TuneTarget> targets_;
};

TEST_F(BudgetTest, FollowsTheTime) {
  ASSERT_EQ(targets_.size(), 4u);
  std::vector<double> us(4);
  us[target("hash", 1)] = 30;
  us[target("gather", 1)] = 10;
  us[target("hash", 64)] = 1;
  us[target("gather", 64)] = 3;
  const std::vector<double> parts = shares(us);
  EXPECT_NEAR(std::accumulate(parts.begin(), parts.end(), 0.0), 1, 1e-9);
  // Parts of each call's time, not microseconds: many tokens count as much as one.
  EXPECT_NEAR(parts[target("hash", 1)], parts[target("gather", 64)], 1e-9);
  EXPECT_NEAR(parts[target("hash", 1)], 1.0 / 12 + 2.0 / 3 * 0.75 / 2, 1e-9);
  EXPECT_NEAR(parts[target("gather", 1)], 1.0 / 12 + 2.0 / 3 * 0.25 / 2, 1e-9);
}

TEST_F(BudgetTest, NoneIsLeftWithout) {
  std::vector<double> us(4, 0);
  us[0] = 1000;
  for (const double part : shares(us)) EXPECT_GE(part, 1.0 / 12 - 1e-9);
  for (const double part : shares(std::vector<double>(4, 0))) EXPECT_NEAR(part, 0.25, 1e-9);
}

TEST_F(BudgetTest, LayersCount) {
  options_.shapes = {find_workload("small512_t128"), find_workload("small512_t64")};
  options_.layers = {5, 1};
  targets_ = tune_targets(options_, spaces_);
  size_t five = 0;
  for (const TuneTarget& target : targets_) five += target.layers == 5;
  EXPECT_GT(five, 0u);
  const std::vector<double> parts = shares(std::vector<double>(targets_.size(), 1));
  for (size_t i = 0; i < targets_.size(); ++i) {
    for (size_t j = 0; j < targets_.size(); ++j) {
      const bool same_call = targets_[i].spec.kernel == targets_[j].spec.kernel && targets_[i].tokens == targets_[j].tokens;
      if (same_call && targets_[i].layers > targets_[j].layers) {
        EXPECT_GT(parts[i], parts[j]);
      }
    }
  }
}

}  // namespace
}  // namespace lookupffn
