// Steps of Adam on rows, by themselves and within a backward.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "layer_check.h"
#include "reference/random_numbers.h"
#include "training_step.h"

namespace lookupffn {
namespace {

using namespace checks;

struct Parameter {
  size_t rows, width;
  std::vector<float> values, mean, square;
  std::vector<int32_t> steps;
  std::vector<double> row_log_decay;

  Parameter(std::vector<float> start, size_t rows)
      : rows(rows),
        width(start.size() / rows),
        values(std::move(start)),
        mean(values.size()),
        square(values.size()),
        steps(rows),
        row_log_decay(rows) {}

  lookupffn_row_adam adam(double log_decay) {
    return {values.data(), mean.data(), square.data(), steps.data(), row_log_decay.data(), rows, width,
            0.03,          0.9,         0.99,          1e-6,         log_decay};
  }
};

// A row by itself: AdamW with the steps that it takes part in, and the decay of all.
struct PlainRow {
  std::vector<double> values, mean, square;
  int steps = 0;

  explicit PlainRow(const float* start, size_t width) : values(start, start + width), mean(width), square(width) {}
  void decay(double factor) {
    for (double& value : values) value *= factor;
  }
  void step(const float* gradient) {
    ++steps;
    for (size_t d = 0; d < values.size(); ++d) {
      mean[d] = 0.9 * mean[d] + 0.1 * gradient[d];
      square[d] = 0.99 * square[d] + 0.01 * gradient[d] * gradient[d];
      const double size = 0.03 / (1 - std::pow(0.9, steps));
      values[d] -= size * mean[d] / (std::sqrt(square[d] / (1 - std::pow(0.99, steps))) + 1e-6);
    }
  }
};

TEST(RowAdam, IsAdamWOnEachRowAlone) {
  for (const size_t width : {1, 15, 33, 64, 200}) {
    const size_t rows = 40;
    reference::RandomNumbers random(width);
    const std::vector<float> start = random.normals(rows * width, 1);
    Parameter parameter(start, rows);
    std::vector<PlainRow> plain;
    for (size_t r = 0; r < rows; ++r) plain.emplace_back(&start[r * width], width);
    double log_decay = 0;
    for (int number = 0; number < 12; ++number) {
      std::vector<int64_t> picked;
      for (size_t r = 0; r < rows; ++r) {
        if (r == 39 || random.normal() > (number % 3) - 1) picked.push_back(int64_t(r));
      }
      const std::vector<float> gradients = random.normals(picked.size() * width, 0.5);
      log_decay += std::log1p(-0.01);
      for (PlainRow& row : plain) row.decay(0.99);
      for (size_t k = 0; k < picked.size(); ++k) plain[size_t(picked[k])].step(&gradients[k * width]);
      const lookupffn_row_adam adam = parameter.adam(log_decay);
      ASSERT_EQ(lookupffn_row_adam_step(&adam, nullptr, picked.data(), gradients.data(), picked.size()), LOOKUPFFN_OK)
          << lookupffn_last_message();
    }
    for (size_t r = 0; r < rows; ++r) {
      ASSERT_EQ(parameter.steps[r], plain[r].steps);
      const double owed = std::exp(log_decay - parameter.row_log_decay[r]);
      for (size_t d = 0; d < width; ++d) ASSERT_NEAR(parameter.values[r * width + d] * owed, plain[r].values[d], 2e-5);
    }
  }
}

TEST(RowAdam, ManyStepsHaveTheirBiasCorrection) {
  Parameter parameter({1.0f}, 1);
  parameter.steps[0] = 5000;
  parameter.mean[0] = 0.5f;
  parameter.square[0] = 0.25f;
  const lookupffn_row_adam adam = parameter.adam(0);
  const int64_t row = 0;
  const float gradient = 0.5f;
  ASSERT_EQ(lookupffn_row_adam_step(&adam, nullptr, &row, &gradient, 1), LOOKUPFFN_OK);
  EXPECT_EQ(parameter.steps[0], 5001);
  EXPECT_NEAR(parameter.values[0], 1 - 0.03, 1e-6);
}

TEST(RowAdam, InABackwardItIsTheSameAsAfterIt) {
  for (const char* text : {"d_in=24 d_out=20 tables=6 bits=5 projection=bh4 block=8", "d_in=20 d_out=64 tables=3 bits=9 projection=dense"}) {
    const reference::Layer layer = reference::random_layer(shape_from(text), 4);
    const std::vector<float> x = reference::random_tokens(200, layer.shape.d_in, 5);
    const std::vector<float> d_y = reference::RandomNumbers(6).normals(200 * layer.shape.d_out, 1);
    const std::string isa = runnable_isas().back();
    const StepResult gradients = run_step(layer, x, d_y, {isa, 1, TableGradient::kSparse});
    const size_t rows = layer.shape.tables * layer.shape.rows;
    ASSERT_LT(gradients.rows.size(), rows);
    Parameter after(layer.table, rows);
    const lookupffn_row_adam adam = after.adam(-0.02);
    ASSERT_EQ(lookupffn_force_isa(isa.c_str()), LOOKUPFFN_OK);
    ASSERT_EQ(lookupffn_row_adam_step(&adam, nullptr, gradients.rows.data(), gradients.table.data(), gradients.rows.size()),
              LOOKUPFFN_OK);
    lookupffn_force_isa(nullptr);
    for (const size_t threads : {1, 3}) {
      reference::Layer trained = layer;
      Parameter within(layer.table, rows);
      lookupffn_row_adam step = within.adam(-0.02);
      step.parameter = trained.table.data();
      const StepResult other = run_step(trained, x, d_y, {isa, threads, TableGradient::kAdam, &step});
      EXPECT_EQ(other.x, gradients.x);
      EXPECT_EQ(trained.table, after.values);
      EXPECT_EQ(within.mean, after.mean);
      EXPECT_EQ(within.square, after.square);
      EXPECT_EQ(within.steps, after.steps);
      EXPECT_EQ(within.row_log_decay, after.row_log_decay);
    }
  }
}

}  // namespace
}  // namespace lookupffn
