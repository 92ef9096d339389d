// What the C API of training steps says of arguments that cannot be.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "layer_check.h"
#include "training_step.h"

namespace lookupffn {
namespace {

using namespace checks;

void expect_invalid(lookupffn_status got, const char* named) {
  EXPECT_STREQ(lookupffn_status_name(got), "invalid_argument") << named;
  EXPECT_NE(std::strstr(lookupffn_last_message(), named), nullptr) << lookupffn_last_message() << " does not name " << named;
}

TEST(TrainingApi, ShapesThatCannotBe) {
  const auto create = [](lookupffn_shape shape) {
    lookupffn_training* training = reinterpret_cast<lookupffn_training*>(1);
    const lookupffn_status status = lookupffn_training_create(&shape, nullptr, &training);
    EXPECT_EQ(training == nullptr, status != LOOKUPFFN_OK);
    if (status == LOOKUPFFN_OK) lookupffn_training_free(training);
    return status;
  };
  const lookupffn_shape good = reference::bh4_shape(20, 10, 4, 3, 8);
  EXPECT_EQ(create(good), LOOKUPFFN_OK) << lookupffn_last_message();
  lookupffn_shape shape = good;
  shape.d_in = 0;
  expect_invalid(create(shape), "d_in");
  shape = good;
  shape.bits = 17;
  expect_invalid(create(shape), "bits");
  shape = good;
  shape.block = 12;
  expect_invalid(create(shape), "block");
  shape = good;
  shape.block = 64;
  expect_invalid(create(shape), "block");
  shape = good;
  shape.layer_norm_eps = 0;
  expect_invalid(create(shape), "layer_norm_eps");
  shape = good;
  shape.decay = 1.5f;
  expect_invalid(create(shape), "decay");
  shape = good;
  shape.projection = LOOKUPFFN_NO_PROJECTION;
  expect_invalid(create(shape), "projection");
  shape = good;
  shape.family = "fff";
  expect_invalid(create(shape), "fff");
  lookupffn_training* training = nullptr;
  expect_invalid(lookupffn_training_create(nullptr, nullptr, &training), "shape");
  EXPECT_EQ(lookupffn_training_create(&good, "pdp11", &training), LOOKUPFFN_UNSUPPORTED_ISA);
  lookupffn_training_free(nullptr);
}

TEST(TrainingApi, ArgumentsThatCannotBe) {
  const reference::Layer layer = reference::random_layer(reference::bh4_shape(20, 10, 4, 3, 8), 1);
  lookupffn_training* training = nullptr;
  ASSERT_EQ(lookupffn_training_create(&layer.shape, nullptr, &training), LOOKUPFFN_OK);
  const lookupffn_weights weights = weights_of(layer);
  std::vector<float> x(40), y(20), saved(lookupffn_training_saved_floats(training, 2));
  const auto hash = [&](const lookupffn_weights* of, const float* from, ptrdiff_t stride, size_t tokens, float* to) {
    return lookupffn_training_hash(training, nullptr, of, from, stride, tokens, to);
  };
  expect_invalid(lookupffn_training_hash(nullptr, nullptr, &weights, x.data(), 20, 2, saved.data()), "training");
  expect_invalid(hash(nullptr, x.data(), 20, 2, saved.data()), "weights");
  lookupffn_weights less = weights;
  less.tables = nullptr;
  expect_invalid(hash(&less, x.data(), 20, 2, saved.data()), "weights");
  expect_invalid(hash(&weights, nullptr, 20, 2, saved.data()), "x");
  expect_invalid(hash(&weights, x.data(), 19, 2, saved.data()), "stride");
  expect_invalid(hash(&weights, x.data(), 20, 2, nullptr), "saved");
  expect_invalid(hash(&weights, x.data(), 20, size_t(1) << 40, saved.data()), "too many");
  EXPECT_EQ(lookupffn_training_saved_floats(training, size_t(1) << 40), 0u);
  EXPECT_EQ(lookupffn_training_saved_floats(nullptr, 1), 0u);
  ASSERT_EQ(hash(&weights, x.data(), 20, 2, saved.data()), LOOKUPFFN_OK) << lookupffn_last_message();
  expect_invalid(lookupffn_training_rows(training, 2, saved.data(), nullptr, nullptr), "count");
  expect_invalid(lookupffn_training_gather(training, nullptr, &weights, 2, saved.data(), nullptr, 10), "y");
  lookupffn_gradients to{};
  const auto backward = [&] {
    return lookupffn_training_backward(training, nullptr, &weights, x.data(), 20, y.data(), 10, 2, saved.data(), &to);
  };
  expect_invalid(backward(), "gradients");
  std::vector<float> some(layer.table.size() + layer.weight.size());
  to.x = x.data();
  to.norm_weight = to.norm_bias = to.projection_weight = to.projection_bias = to.bias = to.tables = to.rows = some.data();
  expect_invalid(backward(), "more than one");
  to.tables = to.rows = nullptr;
  lookupffn_row_adam adam{};
  to.adam = &adam;
  expect_invalid(backward(), "adam");
  lookupffn_training_free(training);
}

TEST(TrainingApi, NoTokens) {
  const reference::Layer layer = reference::random_layer(reference::dense_shape(5, 6, 2, 3), 1);
  const StepResult result = run_step(layer, {}, {}, {runnable_isas().back()});
  for (const std::vector<float>* zeros : {&result.gamma, &result.beta, &result.weight, &result.projection_bias, &result.table, &result.bias}) {
    for (float value : *zeros) ASSERT_EQ(value, 0.0f);
  }
  EXPECT_TRUE(result.rows.empty());
}

TEST(TrainingApi, RowsOfAdamThatCannotBe) {
  std::vector<float> values(12);
  std::vector<int32_t> steps(3);
  std::vector<double> decay(3);
  lookupffn_row_adam adam = {values.data(), values.data(), values.data(), steps.data(), decay.data(), 3, 4, 0.1, 0.9, 0.99, 1e-8, 0};
  const auto step = [&](std::vector<int64_t> rows) {
    return lookupffn_row_adam_step(&adam, nullptr, rows.data(), values.data(), rows.size());
  };
  expect_invalid(step({3}), "rows[0] is 3");
  expect_invalid(step({-1}), "rows[0] is -1");
  expect_invalid(step({1, 1}), "rows[1] is 1");
  expect_invalid(step({2, 0}), "rows[1] is 0");
  adam.beta1 = 1;
  expect_invalid(step({0}), "betas");
  adam.beta1 = 0.9;
  adam.mean = nullptr;
  expect_invalid(step({0}), "NULL");
  expect_invalid(lookupffn_row_adam_step(nullptr, nullptr, nullptr, nullptr, 0), "adam");
}

}  // namespace
}  // namespace lookupffn
