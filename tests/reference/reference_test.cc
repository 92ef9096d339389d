#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "bf16_projection.h"
#include "golden.h"
#include "lookupffn/lookupffn.h"
#include "lookupffn_formulas.h"
#include "lookupffn_layer.h"
#include "lookupffn_tolerance.h"
#include "lookupffn_verdict.h"
#include "model.h"
#include "reference/random_numbers.h"

namespace lookupffn::reference {
namespace {

const std::string kGolden = std::string(LOOKUPFFN_TEST_DATA) + "/golden";

std::vector<float> narrowed(const std::vector<double>& values) { return {values.begin(), values.end()}; }

double rms(const std::vector<double>& values) {
  double squares = 0;
  for (double value : values) squares += value * value;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

class GoldenCase : public testing::TestWithParam<std::string> {};

TEST_P(GoldenCase, TheReferenceGivesItsResults) {
  const Golden golden = read_golden(kGolden, GetParam());
  const lookupffn_model model(golden.model_path);
  const Layer layer = layer_from(weights_of(find_layer(&model, "")));
  const lookupffn_shape& shape = layer.shape;
  ASSERT_EQ(golden.x.size(), golden.tokens * shape.d_in);
  ASSERT_EQ(golden.y.size(), golden.tokens * shape.d_out);
  const Result result = forward(layer, golden.x);
  EXPECT_EQ(result.code, golden.code);
  ASSERT_EQ(result.z.size(), golden.z.size());
  for (size_t i = 0; i < golden.z.size(); ++i) {
    // decay and eps are floats here and were doubles there: a part in 10^7.
    ASSERT_NEAR(result.z[i], golden.z[i], 1e-6 + 1e-6 * std::abs(golden.z[i])) << i;
  }
  // A tenth of what kernels are allowed.
  EXPECT_LE(worst_score(layer, result.score, golden.score), 0.1);
  EXPECT_LE(worst_y(layer, result.code, result.score, result.y, golden.y, LOOKUPFFN_F32), 0.1);
  EXPECT_EQ(wrong_codes(layer, result.z, golden.code), 0u);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenCase, testing::ValuesIn(golden_names(kGolden)),
                         [](const auto& info) { return info.param; });

TEST(Reference, ButterfliesAreTheHadamardTransform) {
  for (size_t size = 1; size <= 512; size *= 2) {
    std::vector<double> fast(size);
    for (size_t i = 0; i < size; ++i) fast[i] = static_cast<double>(i * i % 101) - 50;  // integers: sums are exact
    std::vector<double> slow = fast;
    hadamard(fast);
    hadamard_explicit(slow);
    EXPECT_EQ(fast, slow) << size;
  }
}

TEST(Reference, LayerNormByHand) {
  Layer layer = random_layer(dense_shape(2, 1, 1, 1), 1);
  layer.gamma = {2, 3};
  layer.beta = {10, 20};
  layer.shape.layer_norm_eps = 3;
  // mean 2, variance 1, so (x - mean) / sqrt(1 + 3) is -1/2 and 1/2
  EXPECT_EQ(layer_norm(layer, {1, 3}), (std::vector<double>{9, 21.5}));
}

TEST(Reference, Bh4OfBlocksOfOneByHand) {
  // p = 2: each stage scales by (w0, w1), then takes the sum and the difference.
  Layer layer = random_layer(bh4_shape(2, 1, 2, 1, 1), 1);
  layer.weight = {1, 2, 1, 1, 3, 1, 1, -1};
  layer.shape.decay = 0.5f;
  layer.projection_bias = {0.25f, 0};
  // (1, 1) -> (1, 2) -> (3, -1) -> (2, 4) -> (6, 4) -> (10, 2) -> (10, -2) -> (8, 12), halved, + (1, 1) / 2 +
  // b
  EXPECT_EQ(bh4_projection(layer, {1, 1}), (std::vector<double>{4.75, 6.5}));
}

TEST(Reference, CodeAndScoreByHand) {
  const Layer layer = random_layer(dense_shape(1, 1, 2, 3), 1);
  const Hash hash = code_and_score(layer, {1, 0, -2, -0.5, 0.5, 0});
  EXPECT_EQ(hash.code, (std::vector<int32_t>{4, 2}));  // the first bit is the highest; 0 is not > 0
  EXPECT_NEAR(hash.score[0], 3 / ((1 + std::exp(-2.0)) * 2 * (1 + std::exp(-4.0))), 1e-15);
  EXPECT_NEAR(hash.score[1], 1 / (std::pow(1 + std::exp(-1.0), 2) * 2), 1e-15);
}

TEST(Reference, GatherByHand) {
  Layer layer = random_layer(dense_shape(1, 2, 2, 1), 1);
  layer.table = {1, 2, 3, 4, 5, 6, 7, 8};
  layer.bias = {100, 200};
  EXPECT_EQ(gather(layer, {1, 0}, {10, 0.5}), (std::vector<double>{100 + 30 + 2.5, 200 + 40 + 3}));
}

TEST(Reference, RandomLayersHaveScoresOfOrderOne) {
  for (const lookupffn_shape& shape : {dense_shape(64, 8, 16, 8), bh4_shape(512, 8, 32, 8, 64), bh4_shape(64, 8, 40, 4, 1),
                                       bh4_shape(96, 8, 10, 6, 128), bh4_shape(1, 1, 1, 1, 1)}) {
    const Layer layer = random_layer(shape, 7);
    const Result result = forward(layer, random_tokens(20, shape.d_in, 8));
    if (shape.d_in > 1) {
      EXPECT_GT(rms(result.z), 0.4) << shape.d_in;
      EXPECT_LT(rms(result.z), 2.0) << shape.d_in;
    }
    const double largest_code = *std::max_element(result.code.begin(), result.code.end());
    EXPECT_LT(largest_code, static_cast<double>(shape.rows));
  }
}

TEST(Reference, ModelBytesRoundTrip) {
  for (const lookupffn_shape& shape : {dense_shape(5, 3, 2, 4), bh4_shape(12, 7, 9, 5, 4)}) {
    const Layer layer = random_layer(shape, 3);
    for (ElementType type : {ElementType::kF32, ElementType::kF16, ElementType::kBF16}) {
      const std::vector<uint8_t> bytes = model_bytes(layer, "a.", type);
      const lookupffn_model model(bytes.data(), bytes.size(), "memory");
      const Layer read = layer_from(weights_of(find_layer(&model, "a.")));
      EXPECT_EQ(read.shape.projection, shape.projection);
      EXPECT_EQ(read.shape.block, shape.block);
      EXPECT_EQ(read.shape.repeats, shape.repeats);
      EXPECT_EQ(read.shape.decay, shape.decay);
      EXPECT_EQ(read.shape.layer_norm_eps, shape.layer_norm_eps);
      const double step = type == ElementType::kF32 ? 0 : type == ElementType::kF16 ? 0x1p-11 : 0x1p-8;
      ASSERT_EQ(read.table.size(), layer.table.size());
      for (size_t i = 0; i < layer.table.size(); ++i) {
        ASSERT_NEAR(read.table[i], layer.table[i], step * std::abs(layer.table[i]) + step * 1e-4);
      }
      ASSERT_EQ(read.weight.size(), layer.weight.size());
      ASSERT_EQ(read.projection_bias.size(), layer.projection_bias.size());
    }
  }
}

TEST(Tolerance, AllowsWhatItSaysAndNoMore) {
  Layer layer = random_layer(dense_shape(1, 2, 1, 2), 1);
  layer.table = {0, 0, 1, -2, 0, 0, 0, 0};
  layer.bias = {0, 0};
  const double z[2] = {1e-5, -1};  // code 2, or 0 within the margin
  EXPECT_TRUE(code_allowed(z, 2, 2));
  EXPECT_TRUE(code_allowed(z, 2, 0));
  EXPECT_FALSE(code_allowed(z, 2, 3));
  EXPECT_FALSE(code_allowed(z, 2, 4));
  EXPECT_FALSE(code_allowed(z, 2, -2));
  EXPECT_EQ(wrong_codes(layer, {1e-5, -1, 1, 1}, {0, 0}), 1u);
  const double row[2] = {3, -4};
  EXPECT_DOUBLE_EQ(row_tolerance(row, 2), 1e-4 * std::sqrt(12.5) + 1e-6);
  const int32_t code = 1;
  const double score = 3;
  EXPECT_EQ(table_type_allowance(layer, &code, &score, LOOKUPFFN_F32), 0);
  EXPECT_DOUBLE_EQ(table_type_allowance(layer, &code, &score, LOOKUPFFN_BF16), 3 * 2 / 256.0);
  EXPECT_DOUBLE_EQ(table_type_allowance(layer, &code, &score, LOOKUPFFN_I8), 3 * 2 / 127.0 / 2);
  const std::vector<double> expected = gather(layer, {1}, {3});
  EXPECT_EQ(worst_y(layer, {1}, {3}, expected, narrowed(expected), LOOKUPFFN_F32), 0);
  std::vector<float> wrong = narrowed(expected);
  wrong[1] += 1e-2f;
  EXPECT_GT(worst_y(layer, {1}, {3}, expected, wrong, LOOKUPFFN_F32), 1);
  EXPECT_LT(worst_y(layer, {1}, {3}, expected, wrong, LOOKUPFFN_BF16), 1);
  wrong[1] = std::nanf("");
  EXPECT_GT(worst_y(layer, {1}, {3}, expected, wrong, LOOKUPFFN_BF16), 1e300);
}

TEST(Tolerance, NothingAndWhatIsNotFiniteAreWrong) {
  const Layer layer = random_layer(dense_shape(1, 2, 1, 2), 1);
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  EXPECT_EQ(worse(1, 2), 2);
  EXPECT_EQ(worse(nan, 2), infinity);
  EXPECT_EQ(worse(2, nan), infinity);
  for (const double bad : {infinity, -infinity, nan}) {
    // Neither the value itself nor those beside it, whose tolerance it makes infinite.
    EXPECT_EQ(worst_y(layer, {1}, {3}, {1, bad}, {5e5f, float(bad)}, LOOKUPFFN_F32), infinity);
    EXPECT_EQ(worst_y(layer, {1}, {bad}, {1, 2}, {1, 2}, LOOKUPFFN_BF16), infinity);
    EXPECT_EQ(worst_score(layer, {bad}, {float(bad)}), infinity);
    EXPECT_EQ(worst_score(layer, {bad}, {1}), infinity);
  }
  EXPECT_EQ(worst_y(layer, {}, {}, {}, {}, LOOKUPFFN_F32), infinity);
  EXPECT_EQ(worst_score(layer, {}, {}), infinity);
  EXPECT_EQ(wrong_codes(layer, {}, {}), 1u);
}

TEST(Verdict, SaysWhatWasJudged) {
  const Layer layer = random_layer(bh4_shape(16, 8, 4, 3, 4), 3);
  std::vector<float> x = random_tokens(5, 16, 4);
  const Result right = forward(layer, x);
  Results given{right.code, narrowed(right.score), narrowed(right.y)};
  const auto verdict = [&] { return judge(layer, x, right, given, LOOKUPFFN_F32, LOOKUPFFN_F32); };
  EXPECT_TRUE(verdict().passed());
  EXPECT_EQ(verdict().tokens, 5u);
  EXPECT_EQ(verdict().codes, 20u);
  EXPECT_EQ(verdict().values, 40u);
  given.y[9] += 1;
  EXPECT_FALSE(verdict().passed());
  x[16] = std::nanf("");  // the token of y[9]
  EXPECT_FALSE(verdict().passed()) << "a y that is finite";
  EXPECT_EQ(verdict().not_finite_tokens, 1u);
  std::fill(given.y.begin() + 8, given.y.begin() + 16, std::nanf(""));
  EXPECT_TRUE(verdict().passed());
  given.code[4] = -1;
  EXPECT_FALSE(verdict().passed()) << "a code out of range";
  x.clear();
  EXPECT_FALSE(verdict().passed()) << "no tokens";
}

// The projection with rounded weights: of weights that bf16 holds exactly, folded in or not, nothing changes.
TEST(Bf16Projection, RoundsThePackedWeights) {
  for (lookupffn_shape shape : {dense_shape(40, 4, 6, 7), bh4_shape(5, 4, 9, 4, 2), bh4_shape(48, 4, 40, 4, 8),
                                bh4_shape(16, 4, 7, 5, 16), bh4_shape(600, 4, 9, 8, 1)}) {
    if (shape.projection == LOOKUPFFN_BH4) shape.decay = 0.5f;
    Layer layer = random_layer(shape, 5);
    const std::vector<double> h = layer_norm(layer, random_tokens(3, shape.d_in, 6));
    const std::vector<double> rounded = bf16_projection(layer, h), exact = projection(layer, h);
    double difference = 0;
    for (size_t i = 0; i < exact.size(); ++i) difference = std::max(difference, std::abs(rounded[i] - exact[i]));
    EXPECT_GT(difference, 1e-5 * rms(exact)) << shape.d_in;
    EXPECT_LT(difference, 0.1 * rms(exact)) << shape.d_in;
    // One weight that is not zero a row and column: its Hadamard transform has only its size, and products stay exact.
    const size_t columns = shape.projection == LOOKUPFFN_DENSE ? shape.d_in : shape.block;
    for (size_t i = 0; i < layer.weight.size(); ++i) {
      layer.weight[i] = i / columns % columns == i % columns ? (i % 3 == 0 ? -0.5f : 0.25f) : 0.0f;
    }
    const std::vector<double> same = bf16_projection(layer, h), as = projection(layer, h);
    if (padded_width(shape) < 16 && shape.projection == LOOKUPFFN_BH4) continue;  // products of four stages have more digits
    for (size_t i = 0; i < as.size(); ++i) ASSERT_NEAR(same[i], as[i], 1e-9 * (1 + std::abs(as[i]))) << shape.d_in;
  }
}

}  // namespace
}  // namespace lookupffn::reference
