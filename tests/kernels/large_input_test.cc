// Any finite x has a y: rows whose variance passes the range of float, rows of equal values, rows of next to nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "layer_check.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "reference/random_numbers.h"
#include "test_bf16_kernels.h"
#include "test_kernels.h"
#include "test_shapes.h"

namespace lookupffn {
namespace {

constexpr float kMost = std::numeric_limits<float>::max();

// 40 rows; every other one is ordinary.
std::vector<float> rows_of_all_sizes(size_t d_in) {
  std::vector<float> x = reference::random_tokens(40, d_in, 31);
  size_t n = 1;
  const auto next_row = [&] {
    float* const row = &x[n * d_in];
    n += 2;
    return row;
  };
  for (const float largest : {1e15f, 1e18f, 1e19f, 2e19f, 1e20f, 1e25f, 1e30f, 1e38f, kMost}) {
    float* const row = next_row();
    float widest = 0;
    for (size_t i = 0; i < d_in; ++i) widest = std::max(widest, std::fabs(row[i]));
    for (size_t i = 0; i < d_in; ++i) row[i] = float(double(row[i]) / widest * largest);
  }
  for (const float value : {3e38f, -kMost, 0.0f}) {
    float* const row = next_row();
    std::fill(row, row + d_in, value);
  }
  float* row = next_row();
  for (size_t i = 0; i < d_in; ++i) row[i] = i % 2 == 0 ? 3e38f : -3e38f;
  row = next_row();
  row[d_in / 2] = kMost;  // the others are nothing beside it
  for (const float factor : {1e-20f, 1e-30f, 1e-44f}) {
    row = next_row();
    for (size_t i = 0; i < d_in; ++i) row[i] *= factor;
  }
  EXPECT_LE(n, 41u);
  return x;
}

void expect_right(const lookupffn_shape& shape, lookupffn_kernels kernels,
                  const std::vector<lookupffn_type>& projection_types) {
  const checks::LayerCase layer(reference::random_layer(shape, 41), 41, rows_of_all_sizes(shape.d_in));
  for (const std::string& isa : checks::runnable_isas()) {
    for (const lookupffn_type projection_type : projection_types) {
      layer.check({isa, kernels, LOOKUPFFN_F32, projection_type}, {40, 1, 2, 3, 9, 33, 40});
      // A single token of a large layer is shared out between threads.
      const Layer packed = layer.pack({isa, kernels, LOOKUPFFN_F32, projection_type});
      const Threads threads(2);
      std::vector<float> one(shape.d_out), all(40 * shape.d_out);
      packed.forward(threads, layer.x().data(), all.data(), 40);
      for (size_t n = 0; n < 40; ++n) {
        packed.forward(threads, &layer.x()[n * shape.d_in], one.data(), 1);
        for (size_t d = 0; d < shape.d_out; ++d) ASSERT_EQ(one[d], all[n * shape.d_out + d]) << isa << ", row " << n;
      }
    }
  }
}

class GenericLargeInput : public testing::TestWithParam<lookupffn_shape> {};

TEST_P(GenericLargeInput, HasItsResult) {
  expect_right(GetParam(), LOOKUPFFN_GENERIC_KERNELS, {LOOKUPFFN_F32, LOOKUPFFN_BF16, LOOKUPFFN_BF16X3});
}

INSTANTIATE_TEST_SUITE_P(Shapes, GenericLargeInput,
                         testing::Values(reference::dense_shape(1, 1, 1, 1), reference::dense_shape(33, 33, 5, 7),
                                         reference::dense_shape(64, 64, 3, 16), reference::bh4_shape(48, 48, 40, 4, 64),
                                         reference::bh4_shape(5, 8, 9, 4, 2), reference::bh4_shape(300, 129, 9, 8, 1)),
                         [](const testing::TestParamInfo<lookupffn_shape>& info) { return std::to_string(info.index); });

class SpecialisedLargeInput : public testing::TestWithParam<std::string> {};

TEST_P(SpecialisedLargeInput, HasItsResult) {
  ASSERT_EQ(test_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  expect_right(checks::shape_from(GetParam()), LOOKUPFFN_SPECIALISED_KERNELS, {LOOKUPFFN_F32});
}

INSTANTIATE_TEST_SUITE_P(Shapes, SpecialisedLargeInput, testing::ValuesIn(std::begin(kTestShapes), std::end(kTestShapes)),
                         [](const testing::TestParamInfo<std::string>& info) { return std::to_string(info.index); });

class SpecialisedBf16LargeInput : public testing::TestWithParam<std::string> {};

TEST_P(SpecialisedBf16LargeInput, HasItsResult) {
  ASSERT_EQ(test_bf16_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  expect_right(checks::shape_from(GetParam()), LOOKUPFFN_SPECIALISED_KERNELS, {LOOKUPFFN_BF16, LOOKUPFFN_BF16X3});
}

INSTANTIATE_TEST_SUITE_P(Shapes, SpecialisedBf16LargeInput,
                         testing::ValuesIn(std::begin(kBf16TestShapes), std::end(kBf16TestShapes)),
                         [](const testing::TestParamInfo<std::string>& info) { return std::to_string(info.index); });

}  // namespace
}  // namespace lookupffn
