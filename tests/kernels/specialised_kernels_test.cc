// Kernels generated for a shape, against the reference and on every ISA of this machine. Shapes and libraries come
// from CMakeLists.txt.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "golden.h"
#include "layer_check.h"
#include "layer_weights.h"
#include "load.h"
#include "lookupffn/lookupffn.hpp"
#include "lookupffn_layer.h"
#include "model.h"
#include "plain_layer.h"
#include "sanitized.h"
#include "test_bf16_kernels.h"
#include "test_huge_kernels.h"
#include "test_kernels.h"
#include "test_shapes.h"

namespace lookupffn {
namespace {

using checks::LayerCase;

void check_on_all_isas(const lookupffn_shape& shape, uint64_t seed, const std::vector<lookupffn_type>& table_types,
                       lookupffn_type projection_type) {
  const LayerCase layer(shape, seed, checks::token_counts().back());
  for (const std::string& isa : checks::runnable_isas()) {
    for (const lookupffn_type type : table_types) {
      layer.check({isa, LOOKUPFFN_SPECIALISED_KERNELS, type, projection_type}, checks::token_counts());
    }
  }
}

class SpecialisedShapes : public testing::TestWithParam<std::string> {};

TEST_P(SpecialisedShapes, AgreeWithTheReference) {
  ASSERT_EQ(test_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  lookupffn_shape shape = checks::shape_from(GetParam());
  check_on_all_isas(shape, 501, checks::table_types(), LOOKUPFFN_F32);
  if (shape.projection == LOOKUPFFN_DENSE) return;
  for (const float decay : {0.0f, 0.5f, 1.0f}) {
    shape.decay = decay;
    check_on_all_isas(shape, 502, {LOOKUPFFN_F32}, LOOKUPFFN_F32);
  }
}

TEST_P(SpecialisedShapes, AddUpRowsThatNeedNoRounding) {
  ASSERT_EQ(test_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  for (const lookupffn_type type : checks::table_types()) {
    const LayerCase layer(checks::with_exact_tables(reference::random_layer(checks::shape_from(GetParam()), 503), type), 503,
                          130);
    for (const std::string& isa : checks::runnable_isas()) {
      layer.check({isa, LOOKUPFFN_SPECIALISED_KERNELS, type, LOOKUPFFN_F32}, {1, 9, 130}, true);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SpecialisedShapes, testing::ValuesIn(std::begin(kTestShapes), std::end(kTestShapes)),
                         [](const testing::TestParamInfo<std::string>& info) { return std::to_string(info.index); });

class SpecialisedBf16Projection : public testing::TestWithParam<std::string> {};

TEST_P(SpecialisedBf16Projection, AgreesWithTheReferenceOfRoundedWeights) {
  ASSERT_EQ(test_bf16_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  check_on_all_isas(checks::shape_from(GetParam()), 601, {LOOKUPFFN_F32}, LOOKUPFFN_BF16);
}

TEST_P(SpecialisedBf16Projection, AgreesWithTheReferenceInThreeParts) {
  ASSERT_EQ(test_bf16_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  check_on_all_isas(checks::shape_from(GetParam()), 602, {LOOKUPFFN_F32}, LOOKUPFFN_BF16X3);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SpecialisedBf16Projection,
                         testing::ValuesIn(std::begin(kBf16TestShapes), std::end(kBf16TestShapes)),
                         [](const testing::TestParamInfo<std::string>& info) { return std::to_string(info.index); });

// Shapes of the golden models, with tokens, strides and counts that their io files do not have.
class SpecialisedGolden : public testing::TestWithParam<std::string> {};

TEST_P(SpecialisedGolden, AgreesWithTheReference) {
  ASSERT_EQ(lookupffn_load_kernels((std::string(LOOKUPFFN_TEST_KERNELS "/golden_") + GetParam()).c_str(), nullptr),
            LOOKUPFFN_OK)
      << lookupffn_last_message();
  const Model model(std::string(LOOKUPFFN_TEST_DATA "/golden/") + GetParam() + ".model.safetensors");
  const LayerCase layer(reference::layer_from(weights_of(find_layer(model.get(), nullptr))), 701, 130);
  for (const std::string& isa : checks::runnable_isas()) {
    layer.check({isa, LOOKUPFFN_SPECIALISED_KERNELS, LOOKUPFFN_F32, LOOKUPFFN_F32}, {1, 2, 9, 31, 127, 128, 130});
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SpecialisedGolden,
                         testing::ValuesIn(reference::golden_names(std::string(LOOKUPFFN_TEST_DATA) + "/golden")),
                         [](const testing::TestParamInfo<std::string>& info) { return info.param; });

TEST(SpecialisedKernels, GatherFromTablesBeyondTwoGibibytes) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's shadow memory makes this too large";
  if (!checks::memory_for_huge_tables()) GTEST_SKIP() << "less than 6 GiB of memory is free";
  const std::vector<std::string> isas = checks::runnable_isas();
  if (std::find(isas.begin(), isas.end(), LOOKUPFFN_TEST_HUGE_ISA) == isas.end()) {
    GTEST_SKIP() << "the kernels are built for " LOOKUPFFN_TEST_HUGE_ISA ", which does not run here";
  }
  ASSERT_EQ(test_huge_kernels_register(), LOOKUPFFN_OK) << lookupffn_last_message();
  checks::check_huge_tables(LOOKUPFFN_SPECIALISED_KERNELS, {LOOKUPFFN_TEST_HUGE_ISA});
}

}  // namespace
}  // namespace lookupffn
