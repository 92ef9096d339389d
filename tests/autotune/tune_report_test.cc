// What a tuning run shows, what it starts from and what it warns of.
#include <gtest/gtest.h>

#include "preflight.h"
#include "progress.h"
#include "report.h"
#include "search/transfer.h"
#include "tune.h"
#include "workload.h"

namespace lookupffn {
namespace {

KernelSpec gather(const std::string& isa = "avx512", const std::string& batch_class = "small") {
  return {"gather", isa, batch_class, {{"bits", "8"}, {"d_out", "512"}, {"table_type", "f32"}, {"tables", "128"}}};
}

TEST(Progress, OneLineSaysItAll) {
  ProgressState state;
  state.kernel = "gather small";
  state.kernel_index = 1;
  state.kernel_count = 6;
  state.trials = 34;
  state.best_gain = 1.42;
  state.failures[TrialStatus::kCrash] = 2;
  state.seconds_left = 200;
  EXPECT_EQ(progress_line(state), "[2/6] gather small: 34 trials, best 1.42x, failed: 2 crash, 3m 20s left");
}

TEST(Report, TableHasEveryKernelWithItsGainAndBound) {
  KernelOutcome won, lost;
  won.spec = gather();
  won.tokens = 64;
  won.default_us = 10;
  won.best_us = 5;
  won.gain = 2;
  won.gain_low = 1.9;
  won.gain_high = 2.1;
  won.record = "schedules/tuned/avx512/x.json";
  lost.spec = gather("avx512", "one");
  lost.tokens = 1;
  lost.note = "nothing was faster";
  const std::string table = outcome_table({won, lost}, CacheSizes());
  EXPECT_NE(table.find("2.00x (1.90 to 2.10)"), std::string::npos) << table;
  EXPECT_NE(table.find("row reads from memory, 52.4 GB/s"), std::string::npos) << table;
  EXPECT_NE(table.find("none: nothing was faster"), std::string::npos) << table;
}

// A time is a bag's, and so is the work that it is set against.
TEST(Report, ABagsTimeIsSetAgainstABagsWork) {
  const KernelSpec spec = {"embedding_bag", "avx512", "any", {{"d_out", "128"}, {"table_type", "f32"}}};
  // 20 ids of 512 bytes in a microsecond
  EXPECT_EQ(bound_text(spec, 64, {}, 1, CacheSizes()), "row reads from memory, 10.2 GB/s");
}

TEST(Report, PictureIsWellFormedAndHasALineAKernel) {
  std::vector<Trial> trials;
  for (int i = 0; i < 20; ++i) {
    Trial trial;
    trial.spec = gather("avx512", i % 2 == 0 ? "small" : "large");
    trial.tokens = 64;
    trial.cost = 1.0 / (1 + 0.1 * i);
    trial.status = i == 7 ? TrialStatus::kCrash : TrialStatus::kOk;
    trials.push_back(trial);
  }
  const std::string svg = search_picture(trials);
  size_t paths = 0;
  for (size_t at = svg.find("<path"); at != std::string::npos; at = svg.find("<path", at + 1)) ++paths;
  EXPECT_EQ(paths, 2u);
  EXPECT_NE(svg.find("best 2.80x in 10 trials"), std::string::npos) << svg;
  EXPECT_EQ(svg.compare(0, 4, "<svg"), 0);
  EXPECT_NE(svg.find("</svg>"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Preflight, SaysWhatWouldSpoilMeasurements) {
  Machine quiet;
  quiet.threads = 2;
  quiet.governor = "performance";
  EXPECT_TRUE(machine_warnings(quiet, 1, "0", 0.01).empty());
  Machine busy = quiet;
  busy.load = 3;
  busy.governor = "powersave";
  const auto warnings = machine_warnings(busy, 4, "1", 0.2);
  ASSERT_EQ(warnings.size(), 5u);
  EXPECT_NE(warnings[0].find("load 3"), std::string::npos);
  EXPECT_NE(warnings[1].find("powersave"), std::string::npos);
}

TEST(Transfer, TheLikestKernelComesFirstAndIllegalSchedulesFindTheirNeighbour) {
  std::vector<Schedule> points;
  for (const char* tile : {"16", "32", "64"}) {
    for (const char* vector : {"16", "32"}) points.push_back({{"d_tile", tile}, {"vector_bytes", vector}});
  }
  const LegalSchedules space(points);
  KernelSpec other_shape = gather("avx2");
  other_shape.problem["d_out"] = "768";
  KernelSpec hash = gather("avx2");
  hash.kernel = "hash";
  const std::vector<KnownSchedule> known = {
      {gather("avx512"), {{"d_tile", "128"}, {"vector_bytes", "32"}}},
      {hash, {{"d_tile", "16"}, {"vector_bytes", "16"}}},
      {other_shape, {{"d_tile", "16"}, {"vector_bytes", "32"}}},
  };
  const auto found = transferred_points(space, gather("avx2"), known, 3);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(space.point(found[0]), (Schedule{{"d_tile", "16"}, {"vector_bytes", "32"}}));
  EXPECT_EQ(space.point(found[1]), (Schedule{{"d_tile", "64"}, {"vector_bytes", "32"}}));
}

TEST(TuneTargets, EachKernelOnceAtTheLargestTokensOfItsClass) {
  TuneOptions options;
  options.isa = "avx2";
  options.shapes = {find_workload("small512_t64"), find_workload("small512_t64")};
  options.tokens = {1, 8, 64};
  options.table_types = {"f32", "i8"};
  size_t hashes = 0, gathers = 0;
  for (const TuneTarget& target : tune_targets(options, ScheduleSpaces({LOOKUPFFN_SCHEDULES}))) {
    // 64 tokens are many for a hash and few for a gather.
    const bool few_hashed = target.spec.kernel == "hash" && target.spec.batch_class == "small";
    EXPECT_EQ(target.tokens, target.spec.batch_class == "one" ? 1u : few_hashed ? 8u : 64u) << describe(target.spec);
    (target.spec.kernel == "hash" ? hashes : gathers) += 1;
  }
  EXPECT_EQ(hashes, 3u);
  EXPECT_EQ(gathers, 4u);
}

TEST(Workload, AnUnknownNameListsThoseThereAre) {
  try {
    find_workload("nothing");
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("small512_t128"), std::string::npos);
  }
}

}  // namespace
}  // namespace lookupffn
