// `lookupffn verify` and files whose expected results are wrong, not finite, or not there: never "ok".
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "golden.h"
#include "load.h"
#include "safetensors_writer.h"
#include "scratch_folder.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

const std::string kFolder = std::string(LOOKUPFFN_TEST_DATA) + "/golden";
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Case {
  const char* name;
  size_t d_in, d_out, tables, bits;
};

class WrongResults : public testing::TestWithParam<Case> {
 protected:
  reference::Golden golden() const { return reference::read_golden(kFolder, GetParam().name); }

  ProcessResult verify(const reference::Golden& io, size_t tokens, const std::vector<std::string>& more,
                       bool with_z = true) const {
    const Case& c = GetParam();
    const std::string path = folder_.file("io.safetensors");
    std::vector<TensorSource> tensors = {{"x", ElementType::kF32, {tokens, c.d_in}, io.x.data()},
                                         {"code", ElementType::kI32, {tokens, c.tables}, io.code.data()},
                                         {"score", ElementType::kF32, {tokens, c.tables}, io.score.data()},
                                         {"y", ElementType::kF32, {tokens, c.d_out}, io.y.data()}};
    if (with_z) tensors.push_back({"z", ElementType::kF32, {tokens, c.tables, c.bits}, io.z.data()});
    write_safetensors(path, tensors);
    std::vector<std::string> arguments = {LOOKUPFFN_TEST_TOOL, "verify", io.model_path, path};
    arguments.insert(arguments.end(), more.begin(), more.end());
    ProcessOptions options;
    options.time_limit_seconds = 120;
    options.environment = {{"LOOKUPFFN_ISA", ""}};
    return run_process(arguments, options);
  }

  // Every type of tables and of projection; every so many-th pair under an emulator.
  void for_each_type(const std::function<void(const std::vector<std::string>&)>& run) const {
    size_t pair = 0;
    for (const char* table : {"f32", "bf16", "i8", "i4"}) {
      for (const char* projection : {"f32", "bf16x3", "bf16"}) {
        if (pair++ % checks::case_step() != 0) continue;
        SCOPED_TRACE(std::string(table) + " tables, " + projection + " projection");
        run({"--table-type", table, "--projection-type", projection});
      }
    }
  }

  ScratchFolder folder_;
};

TEST_P(WrongResults, AreFound) {
  const Case& c = GetParam();
  const struct {
    const char* what;
    std::function<void(reference::Golden&)> mutate;
  } mutations[] = {
      {"codes inverted",
       [&](reference::Golden& io) {
         for (int32_t& code : io.code) code = int32_t((1u << c.bits) - 1) - code;
       }},
      {"one code", [](reference::Golden& io) { io.code.back() ^= 1; }},
      {"scores + 1e6",
       [](reference::Golden& io) {
         for (float& score : io.score) score += 1e6f;
       }},
      {"one score", [](reference::Golden& io) { io.score[1] += 0.01f; }},
      {"y times -1e6",
       [](reference::Golden& io) {
         for (float& y : io.y) y *= -1e6f;
       }},
      {"z of zeros", [](reference::Golden& io) { std::fill(io.z.begin(), io.z.end(), 0.0f); }},
      {"z of zeros and codes inverted",
       [&](reference::Golden& io) {
         std::fill(io.z.begin(), io.z.end(), 0.0f);
         for (int32_t& code : io.code) code = int32_t((1u << c.bits) - 1) - code;
       }},
      {"z of zeros in a row and its code wrong",
       [&](reference::Golden& io) {
         std::fill(io.z.begin(), io.z.begin() + ptrdiff_t(c.tables * c.bits), 0.0f);
         io.code[0] ^= 1;
       }},
      {"y infinite", [](reference::Golden& io) { io.y[1] = kInf; }},
      {"y -infinite in all rows", [](reference::Golden& io) { std::fill(io.y.begin(), io.y.end(), -kInf); }},
      {"y NaN", [](reference::Golden& io) { io.y.back() = kNaN; }},
      {"score infinite", [](reference::Golden& io) { io.score[0] = kInf; }},
      {"score NaN", [](reference::Golden& io) { io.score.back() = kNaN; }},
      {"z NaN", [](reference::Golden& io) { io.z[2] = kNaN; }},
  };
  for_each_type([&](const std::vector<std::string>& types) {
    const ProcessResult right = verify(golden(), golden().tokens, types);
    ASSERT_TRUE(right.ok()) << right.out << right.err;
    for (const auto& mutation : mutations) {
      reference::Golden io = golden();
      mutation.mutate(io);
      const ProcessResult result = verify(io, io.tokens, types);
      ASSERT_EQ(result.end, ProcessResult::End::kExited) << mutation.what << ": " << result.what_happened();
      EXPECT_EQ(result.exit_status, 1) << mutation.what << ": " << result.out << result.err;
      EXPECT_EQ(result.out.find("\nok\n"), std::string::npos) << mutation.what;
    }
  });
}

TEST_P(WrongResults, NotFiniteIsNamed) {
  reference::Golden io = golden();
  io.y[GetParam().d_out] = kInf;
  const ProcessResult result = verify(io, io.tokens, {});
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("'y'"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("row 1"), std::string::npos) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

TEST_P(WrongResults, NothingToJudge) {
  for_each_type([&](const std::vector<std::string>& types) {
    const ProcessResult none = verify(golden(), 0, types);
    EXPECT_EQ(none.exit_status, 1) << none.out;
    EXPECT_EQ(none.out, "");
    EXPECT_NE(none.err.find("no tokens"), std::string::npos) << none.err;
    EXPECT_EQ(std::count(none.err.begin(), none.err.end(), '\n'), 1) << none.err;
    reference::Golden io = golden();
    std::fill(io.x.begin(), io.x.end(), kNaN);
    const ProcessResult nans = verify(io, io.tokens, types);
    EXPECT_EQ(nans.exit_status, 1) << nans.out;
    EXPECT_EQ(std::count(nans.err.begin(), nans.err.end(), '\n'), 1) << nans.err;
  });
}

// Where x is not finite, neither is y, whatever the file says of it; the other rows are judged.
TEST_P(WrongResults, RowsWhoseInputIsNotFinite) {
  const Case& c = GetParam();
  for_each_type([&](const std::vector<std::string>& types) {
    for (const float value : {kInf, kNaN}) {
      reference::Golden io = golden();
      ASSERT_GT(io.tokens, 1u);
      io.x[c.d_in] = value;
      std::fill(io.y.begin() + ptrdiff_t(c.d_out), io.y.begin() + ptrdiff_t(2 * c.d_out), kNaN);
      const ProcessResult result = verify(io, io.tokens, types);
      EXPECT_TRUE(result.ok()) << result.out << result.err;
      EXPECT_NE(result.out.find("1 tokens whose x is not finite"), std::string::npos) << result.out;
      io.y[0] += 100;
      EXPECT_EQ(verify(io, io.tokens, types).exit_status, 1);
    }
  });
}

TEST_P(WrongResults, WithoutZEveryCodeIsDecided) {
  reference::Golden io = golden();
  const ProcessResult right = verify(io, io.tokens, {}, false);
  EXPECT_TRUE(right.ok()) << right.out << right.err;
  io.code[0] ^= 1;
  EXPECT_EQ(verify(io, io.tokens, {}, false).exit_status, 1);
}

INSTANTIATE_TEST_SUITE_P(Models, WrongResults,
                         testing::Values(Case{"dense_d100_t5_b10", 100, 33, 5, 10}, Case{"bh4_d64_t40_b4", 64, 64, 40, 4}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lookupffn
