// A row of x that is not finite gives a row of y that is not finite, codes in range, and touches no other row.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "layer_check.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "test_bf16_kernels.h"
#include "test_kernels.h"
#include "test_shapes.h"

namespace lookupffn {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Bad {
  size_t token;
  float value;
  bool whole_row;
};

void expect_contained(const lookupffn_shape& shape, lookupffn_kernels kernels,
                      const std::vector<lookupffn_type>& table_types = checks::table_types(),
                      lookupffn_type projection_type = LOOKUPFFN_F32) {
  constexpr size_t kTokens = 131;
  const checks::LayerCase layer(shape, 21, kTokens);
  const size_t d_in = shape.d_in, d_out = shape.d_out, tables = shape.tables;
  for (const std::string& isa : checks::runnable_isas()) {
    for (const lookupffn_type type : table_types) {
      const checks::Variant variant{isa, kernels, type, projection_type};
      SCOPED_TRACE(checks::describe(shape) + ", " + checks::describe(variant));
      const Layer packed = layer.pack(variant);
      const auto run = [&](const std::vector<float>& x, size_t tokens, std::vector<int32_t>& code, std::vector<float>& y) {
        code.assign(tokens * tables, -1);
        y.assign(tokens * d_out, 0);
        packed.hash(nullptr, x.data(), ptrdiff_t(d_in), code.data(), nullptr, tokens);
        packed.forward(x.data(), y.data(), tokens);
      };
      for (const size_t tokens : {size_t(1), size_t(9), kTokens}) {
        std::vector<int32_t> code, bad_code;
        std::vector<float> y, bad_y;
        std::vector<float> x(layer.x().begin(), layer.x().begin() + ptrdiff_t(tokens * d_in));
        run(x, tokens, code, y);
        std::vector<Bad> bad = {{0, kNaN, false}};
        if (tokens >= 9) bad.insert(bad.end(), {{3, kInf, false}, {4, -kInf, true}, {8, kNaN, true}});
        if (tokens == kTokens) bad.insert(bad.end(), {{127, -kInf, false}, {130, kInf, true}});
        std::vector<bool> is_bad(tokens);
        for (const Bad& one : bad) {
          is_bad[one.token] = true;
          float* row = &x[one.token * d_in];
          if (one.whole_row) {
            std::fill(row, row + d_in, one.value);
          } else {
            row[(one.token * 5 + 1) % d_in] = one.value;
          }
        }
        run(x, tokens, bad_code, bad_y);
        for (size_t n = 0; n < tokens; ++n) {
          if (!is_bad[n]) {
            ASSERT_EQ(std::memcmp(&y[n * d_out], &bad_y[n * d_out], d_out * sizeof(float)), 0) << "row " << n << " changed";
            ASSERT_EQ(std::memcmp(&code[n * tables], &bad_code[n * tables], tables * sizeof(int32_t)), 0) << "row " << n;
            continue;
          }
          for (size_t d = 0; d < d_out; ++d) ASSERT_FALSE(std::isfinite(bad_y[n * d_out + d])) << "y[" << n << ", " << d << "]";
          for (size_t t = 0; t < tables; ++t) {
            const int32_t value = bad_code[n * tables + t];
            ASSERT_TRUE(value >= 0 && size_t(value) < shape.rows) << "code[" << n << ", " << t << "] is " << value;
          }
        }
      }
    }
  }
}

class GenericNotFinite : public testing::TestWithParam<lookupffn_shape> {};

TEST_P(GenericNotFinite, StaysInItsRow) { expect_contained(GetParam(), LOOKUPFFN_GENERIC_KERNELS); }

INSTANTIATE_TEST_SUITE_P(Shapes, GenericNotFinite,
                         testing::Values(reference::dense_shape(1, 1, 1, 1), reference::dense_shape(33, 17, 5, 7),
                                         reference::dense_shape(64, 64, 3, 16), reference::bh4_shape(48, 48, 40, 4, 64),
                                         reference::bh4_shape(16, 31, 7, 5, 4), reference::bh4_shape(5, 8, 9, 4, 2),
                                         reference::bh4_shape(300, 129, 9, 8, 1)),
                         [](const testing::TestParamInfo<lookupffn_shape>& info) { return std::to_string(info.index); });

// (1 - decay) h is where a NaN could get lost, or reach every output only through the transform.
INSTANTIATE_TEST_SUITE_P(Decays, GenericNotFinite, testing::ValuesIn([] {
                           std::vector<lookupffn_shape> shapes;
                           for (const float decay : {0.0f, 1.0f}) {
                             shapes.push_back(reference::bh4_shape(48, 16, 10, 6, 16));
                             shapes.back().decay = decay;
                           }
                           return shapes;
                         }()),
                         [](const testing::TestParamInfo<lookupffn_shape>& info) { return std::to_string(info.index); });

class SpecialisedNotFinite : public testing::TestWithParam<std::string> {};

TEST_P(SpecialisedNotFinite, StaysInItsRow) {
  ASSERT_EQ(test_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  expect_contained(checks::shape_from(GetParam()), LOOKUPFFN_SPECIALISED_KERNELS);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SpecialisedNotFinite, testing::ValuesIn(std::begin(kTestShapes), std::end(kTestShapes)),
                         [](const testing::TestParamInfo<std::string>& info) { return std::to_string(info.index); });

class SpecialisedBf16NotFinite : public testing::TestWithParam<std::string> {};

TEST_P(SpecialisedBf16NotFinite, StaysInItsRow) {
  ASSERT_EQ(test_bf16_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  for (const lookupffn_type projection_type : {LOOKUPFFN_BF16, LOOKUPFFN_BF16X3}) {
    expect_contained(checks::shape_from(GetParam()), LOOKUPFFN_SPECIALISED_KERNELS, {LOOKUPFFN_F32}, projection_type);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SpecialisedBf16NotFinite,
                         testing::ValuesIn(std::begin(kBf16TestShapes), std::end(kBf16TestShapes)),
                         [](const testing::TestParamInfo<std::string>& info) { return std::to_string(info.index); });

}  // namespace
}  // namespace lookupffn
