// Predictions from recorded runs, on a machine that was described then.
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>

#include "prediction.h"
#include "workload.h"

namespace lookupffn::what_if {
namespace {

const std::string kData = LOOKUPFFN_WHAT_IF_DATA;

MachineDescription machine() { return load_machine(kData + "/machine.json"); }
std::vector<Recorded> base() { return load_run(kData + "/base.json"); }

Setting setting(double tokens) {
  Setting setting = base().front().setting;
  setting.table_type = "f32";
  setting.tokens = tokens;
  return setting;
}

std::string message(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(WhatIf, GivesWhatWasRecordedBack) {
  const Predictor predictor(base(), machine());
  for (const Recorded& one : base()) {
    // A hash is recorded once a table type: the mean of such twins.
    const double tolerance = one.part == "hash" ? 0.1 : 1e-9;
    EXPECT_NEAR(predictor.predict(one.part, one.setting, machine()).us / one.us, 1, tolerance) << describe(one);
  }
}

TEST(WhatIf, ADescriptionComesBackFromItsText) {
  const MachineDescription first = machine(), again = parse_machine(machine_text(first), "again");
  EXPECT_EQ(machine_text(again), machine_text(first));
}

TEST(WhatIf, MoreIsNeverSlower) {
  const Predictor predictor(base(), machine());
  for (const double tokens : {1.0, 64.0}) {
    for (const char* part : {"hash", "gather", "all"}) {
      const double now = predictor.predict(part, setting(tokens), machine()).us;
      const auto with = [&](MachineChange change) {
        return predictor.predict(part, setting(tokens), with_change(machine(), change)).us;
      };
      MachineChange larger, faster, stronger, slower;
      larger.l2 = 4;
      faster.bandwidth = 2;
      stronger.compute = 2;
      slower.bandwidth = 0.5;
      EXPECT_LE(with(larger), now * (1 + 1e-9)) << part;
      EXPECT_LE(with(faster), now * (1 + 1e-9)) << part;
      EXPECT_LE(with(stronger), now * (1 + 1e-9)) << part;
      EXPECT_GE(with(slower), now * (1 - 1e-9)) << part;
      EXPECT_NEAR(with({}), now, 1e-9);
    }
  }
}

TEST(WhatIf, EachKernelFeelsWhatBoundsIt) {
  const Predictor predictor(base(), machine());
  const auto ratio = [&](const char* part, double tokens, const MachineChange& change) {
    return predictor.predict(part, setting(tokens), with_change(machine(), change)).us /
           predictor.predict(part, setting(tokens), machine()).us;
  };
  MachineChange bandwidth, compute;
  bandwidth.bandwidth = 2;
  compute.compute = 2;
  EXPECT_LT(ratio("gather", 1, bandwidth), 0.65) << "64 MiB of f32 rows come from memory";
  EXPECT_DOUBLE_EQ(ratio("hash", 64, bandwidth), 1) << "1 MiB of weights do not";
  EXPECT_LT(ratio("hash", 64, compute), 0.7);
  EXPECT_GT(ratio("gather", 1, compute), 0.9);
}

TEST(WhatIf, MistakesAreNamed) {
  EXPECT_NE(message([] { parse_machine("{", "a.json"); }).find("a.json is no machine description"), std::string::npos);
  EXPECT_NE(message([] { parse_machine(R"({"format":"other"})", "a.json"); }).find("'format'"), std::string::npos);
  EXPECT_NE(message([] { parse_run("{}", "r.json"); }).find("r.json is no run"), std::string::npos);
  EXPECT_NE(message([] { parse_run("[]", "r.json"); }).find("no times"), std::string::npos);
  EXPECT_NE(message([] { with_threads(machine(), 1000); }).find("1000 threads"), std::string::npos);
  MachineChange change;
  change.l2 = 1e6;
  EXPECT_NE(message([&] { with_change(machine(), change); }).find("--l1, --l2, --l3"), std::string::npos);
}

TEST(WhatIf, ChangesAreSizesNumbersOrFactors) {
  EXPECT_DOUBLE_EQ(change_factor("--l2", "4M", Unit::kBytes, 1 << 20), 4);
  EXPECT_DOUBLE_EQ(change_factor("--l2", "512K", Unit::kBytes, 1 << 20), 0.5);
  EXPECT_DOUBLE_EQ(change_factor("--l2", "2x", Unit::kBytes, 1 << 20), 2);
  EXPECT_DOUBLE_EQ(change_factor("--bandwidth", "40", Unit::kNumber, 20), 2);
  EXPECT_DOUBLE_EQ(change_factor("--bandwidth", "", Unit::kNumber, 20), 1);
  for (const char* wrong : {"x", "-2x", "0", "nan", "4Q", "4M4", "inf"}) {
    EXPECT_NE(message([&] { change_factor("--l2", wrong, Unit::kBytes, 1 << 20); }).find("--l2 " + std::string(wrong)),
              std::string::npos)
        << wrong;
  }
}

// What docs/what_if.md shows.
TEST(WhatIf, MeasuredSettingsAreMet) {
  const Predictor predictor(base(), machine());
  std::vector<std::string> names = {"base768", "small64", "sse41", "avx2", "avx512", "threads2"};
  size_t points = 0;
  for (const std::string& name : names) points += accuracy(predictor, load_run(kData + "/" + name + ".json"), machine()).points;
  EXPECT_GE(points, 60u);
  const Accuracy beside = accuracy(predictor, load_run(kData + "/beside.json"), load_machine(kData + "/beside_machine.json"));
  EXPECT_LT(beside.median, 0.15) << beside.worst_at;
}

}  // namespace
}  // namespace lookupffn::what_if
