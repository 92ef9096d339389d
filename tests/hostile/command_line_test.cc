// Values of options that make no sense: each is refused before any work, in one line that says what would make sense.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "isas.h"
#include "number_range.h"
#include "run_tool.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

const std::string kGolden = std::string(LOOKUPFFN_TEST_DATA) + "/golden/dense_d100_t5_b10";
const std::string kModel = kGolden + ".model.safetensors", kIo = kGolden + ".io.safetensors";
const std::string kSweep = std::string(LOOKUPFFN_TEST_DATA) + "/../../schedules/sweeps/gather_avx512_small.jsonl.gz";

using Arguments = std::vector<std::string>;

Arguments joined(Arguments first, const Arguments& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST(Numbers, OutsideTheirRangeAreRefusedWithTheRange) {
  const ScratchFolder folder;
  const Arguments build = {"build", kModel, "--isa", "sse41", "--out", folder.file("k")};
  const Arguments tune = {"tune", kModel, "--log", folder.file("l.jsonl"), "--out", folder.file("s")};
  const struct {
    Arguments command;
    std::string option, range;
    bool zero;  // is a value of it
  } cases[] = {
      {{"inspect", kModel}, "--threads", "0 to 4096", true},
      {{"verify", kModel, kIo}, "--threads", "0 to 4096", true},
      {{"run", kModel, "--input", kIo, "--output", folder.file("y")}, "--threads", "0 to 4096", true},
      {build, "--jobs", "1 to 1024", false},
      {tune, "--tokens", "1 to 1048576", false},
      {tune, "--threads", "1 to 1024", false},
      {tune, "--trials", "1 to 1000000", false},
      {tune, "--jobs", "1 to 1024", false},
      {tune, "--seed", "0 to 18446744073709551615", true},
      {tune, "--sample-time", "0.001 to 60", false},
      {{"tune", "--replay", kSweep}, "--runs", "1 to 10000", false},
  };
  for (const auto& one : cases) {
    for (const std::string bad :
         {"-1", "0", "010", "0x10", "1e99", "18446744073709551616", "nan", "inf", "-nan", " 1", "1 ", "many", "", "1,"}) {
      if (bad == "0" && one.zero) continue;
      const bool list = one.option == "--tokens", real = one.option == "--sample-time";
      if (real && (bad == "010" || bad == "0x10")) continue;  // 10 and 16 seconds
      if (list && bad == "1,") continue;
      SCOPED_TRACE(one.command[0] + " " + one.option + " '" + bad + "'");
      // "--option=-1": a value, not another option.
      expect_one_line(run_tool(joined(one.command, {one.option + "=" + bad})), {one.option, bad.empty() ? "" : one.range});
    }
  }
  expect_one_line(run_tool(joined(tune, {"--tokens", "1,-1"})), {"--tokens", "'-1'", "1 to 1048576"});
  expect_one_line(run_tool(joined(tune, {"--trials", std::string(5000, '9')})), {"--trials", "1 to 1000000"});
  for (const char* bad : {"-1", "0", "nan", "inf", "1e9h", "10 minutes", "31000000"}) {
    expect_one_line(run_tool(joined(tune, {std::string("--budget=") + bad})), {"--budget", "30 days"});
  }
}

TEST(Numbers, ChecksTakeWhatIsInRangeOnly) {
  const WholeNumber whole{1, 100};
  for (const char* good : {"1", "9", "99", "100"}) EXPECT_EQ(whole(good), "") << good;
  for (const char* bad : {"0", "101", "-1", "+1", "01", "1.0", "", "1x", "99999999999999999999999"})
    EXPECT_NE(whole(bad), "") << bad;
  EXPECT_EQ((WholeNumber{0, UINT64_MAX}("18446744073709551615")), "");
  EXPECT_EQ((WholeNumber{0, UINT64_MAX}("0")), "");
  EXPECT_NE((WholeNumber{0, UINT64_MAX}("18446744073709551616")), "");
  const RealNumber real{0.5, 60};
  for (const char* good : {"0.5", "60", "1e1", ".75"}) EXPECT_EQ(real(good), "") << good;
  for (const char* bad : {"0.4", "61", "nan", "inf", "-1", "", "1x", "1 "}) EXPECT_NE(real(bad), "") << bad;
}

TEST(Names, AnUnknownIsaIsRefusedByEveryCommandWithThoseThereAre) {
  const ScratchFolder folder;
  const std::string narrowest = std::string(kIsas[0].name);
  const Arguments commands[] = {
      {"inspect", kModel},
      {"inspect", kModel, "--json"},
      {"inspect", kModel, "--packed"},
      {"verify", kModel, kIo},
      {"run", kModel, "--input", kIo, "--output", folder.file("y")},
      {"schedules"},
      {"schedules", "--json"},
      {"build", kModel, "--out", folder.file("k")},
      {"tune", kModel, "--out", folder.file("s"), "--log", folder.file("l.jsonl")},
  };
  for (const Arguments& command : commands) {
    SCOPED_TRACE(command[0]);
    expect_one_line(run_tool(joined(command, {"--isa", "nope"})), {"nope", narrowest});
    expect_one_line(run_tool(joined(command, {"--isa", "AVX2"})), {"AVX2", narrowest});
    expect_one_line(run_tool(joined(command, {"--isa", ""})), {});
  }
}

TEST(Names, ThatLeadNowhereAreRefusedEvenWhereTheyWouldNotBeUsed) {
  expect_one_line(run_tool({"inspect", kModel, "--prefix", "nope."}), {"nope.", "there are"});
  expect_one_line(run_tool({"inspect", kModel, "--library", "/nonexistent/kernels"}), {"/nonexistent/kernels"});
  for (const Arguments& command : {Arguments{"inspect", kModel}, Arguments{"verify", kModel, kIo}}) {
    for (const char* option : {"--table-type", "--projection-type", "--kernels"}) {
      expect_one_line(run_tool(joined(command, {option, "nope"})), {option, "nope"});
      expect_one_line(run_tool(joined(command, {option, ""})), {option});
    }
    expect_one_line(run_tool(joined(command, {"--library", ""})), {"--library"});
  }
  const Arguments tune = {"tune", "--workload", "small512_t64"};
  for (const char* option : {"--strategy", "--kernels", "--table-type", "--projection-type"}) {
    expect_one_line(run_tool(joined(tune, {option, "nope"})), {option, "nope"});
  }
  for (const char* option : {"--log", "--generator", "--runner", "--budget", "--replay", "--schedules"}) {
    expect_one_line(run_tool(joined(tune, {option, ""})), {option});
  }
  expect_one_line(run_tool({"tune", "--workload", ""}), {"--workload"});
  expect_one_line(run_tool({"schedules", "--schedules", ""}), {"--schedules"});
}

// An option that does nothing in this call is a mistake of who gave it.
TEST(Names, AReplayTakesNoOptionsOfMeasuring) {
  expect_one_line(run_tool({"tune", "--replay", kSweep, "--workload", "nope"}), {"--replay", "--workload"});
  expect_one_line(run_tool({"tune", "--replay", kSweep, kModel}), {"--replay", "MODEL"});
  expect_one_line(run_tool({"tune", "--replay", kSweep, "--resume"}), {"--replay", "--resume"});
  expect_one_line(run_tool({"tune", "--workload", "small512_t64", "--runs", "3"}), {"--runs", "--replay"});
}

}  // namespace
}  // namespace lookupffn
