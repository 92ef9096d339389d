// A training step by the C API, its results as vectors.
#ifndef LOOKUPFFN_TESTS_TRAINING_STEP_H
#define LOOKUPFFN_TESTS_TRAINING_STEP_H

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.h"
#include "plain_layer.h"

namespace lookupffn::checks {

inline lookupffn_weights weights_of(const reference::Layer& layer) {
  return {layer.gamma.data(), layer.beta.data(),  layer.weight.data(), layer.projection_bias.data(),
          layer.table.data(), layer.bias.data()};
}

struct StepResult {
  std::vector<float> y, x, gamma, beta, weight, projection_bias, table, bias;
  std::vector<int64_t> rows;  // of a sparse gradient, whose rows are `table` then
};

enum class TableGradient { kDense, kSparse, kAdam };

struct Step {
  std::string isa;
  size_t threads = 1;
  TableGradient table = TableGradient::kDense;
  const lookupffn_row_adam* adam = nullptr;
  size_t gap = 0;  // floats between rows of x, y and d_y
};

// x, d_y: contiguous.
inline StepResult run_step(const reference::Layer& layer, const std::vector<float>& x, const std::vector<float>& d_y,
                           const Step& step) {
  const lookupffn_shape& shape = layer.shape;
  const size_t d_in = shape.d_in, d_out = shape.d_out, tokens = x.size() / d_in;
  lookupffn_training* training = nullptr;
  EXPECT_EQ(lookupffn_training_create(&shape, step.isa.c_str(), &training), LOOKUPFFN_OK) << lookupffn_last_message();
  lookupffn_threads* threads = nullptr;
  EXPECT_EQ(lookupffn_threads_create(step.threads, &threads), LOOKUPFFN_OK);
  const auto spread = [&](const std::vector<float>& rows, size_t width) {
    std::vector<float> result(tokens * (width + step.gap), -1e30f);
    for (size_t n = 0; n < tokens; ++n) {
      std::copy(rows.begin() + n * width, rows.begin() + (n + 1) * width, result.begin() + n * (width + step.gap));
    }
    return result;
  };
  const std::vector<float> in = spread(x, d_in), d_out_rows = spread(d_y, d_out);
  std::vector<float> out(tokens * (d_out + step.gap), 7.0f);
  const ptrdiff_t x_stride = ptrdiff_t(d_in + step.gap), y_stride = ptrdiff_t(d_out + step.gap);
  const lookupffn_weights weights = weights_of(layer);
  std::vector<float> saved(lookupffn_training_saved_floats(training, tokens) + 1);
  EXPECT_EQ(lookupffn_training_hash(training, threads, &weights, in.data(), x_stride, tokens, saved.data()), LOOKUPFFN_OK)
      << lookupffn_last_message();
  size_t count = 0;
  EXPECT_EQ(lookupffn_training_rows(training, tokens, saved.data(), nullptr, &count), LOOKUPFFN_OK);
  StepResult result;
  result.rows.resize(count);
  EXPECT_EQ(lookupffn_training_rows(training, tokens, saved.data(), result.rows.data(), &count), LOOKUPFFN_OK);
  EXPECT_EQ(lookupffn_training_gather(training, threads, &weights, tokens, saved.data(), out.data(), y_stride), LOOKUPFFN_OK)
      << lookupffn_last_message();
  for (size_t n = 0; n < tokens; ++n) {
    const auto row = out.begin() + n * (d_out + step.gap);
    result.y.insert(result.y.end(), row, row + d_out);
    for (size_t k = 0; k < step.gap; ++k) EXPECT_EQ(row[d_out + k], 7.0f) << "written beside y";
  }
  const float unset = -3e30f;
  result.x.assign(x.size(), unset);
  result.gamma.assign(d_in, unset);
  result.beta.assign(d_in, unset);
  result.weight.assign(layer.weight.size(), unset);
  result.projection_bias.assign(layer.projection_bias.size(), unset);
  result.bias.assign(d_out, unset);
  lookupffn_gradients to{};
  to.x = result.x.data();
  to.norm_weight = result.gamma.data();
  to.norm_bias = result.beta.data();
  to.projection_weight = result.weight.data();
  to.projection_bias = result.projection_bias.data();
  to.bias = result.bias.data();
  if (step.table == TableGradient::kDense) {
    result.table.assign(layer.table.size(), unset);
    to.tables = result.table.data();
  } else if (step.table == TableGradient::kSparse) {
    result.table.assign(count * d_out, unset);
    to.rows = result.table.data();
  } else {
    to.adam = step.adam;
  }
  EXPECT_EQ(lookupffn_training_backward(training, threads, &weights, in.data(), x_stride, d_out_rows.data(), y_stride, tokens,
                                        saved.data(), &to),
            LOOKUPFFN_OK)
      << lookupffn_last_message();
  lookupffn_threads_free(threads);
  lookupffn_training_free(training);
  return result;
}

}  // namespace lookupffn::checks
#endif
