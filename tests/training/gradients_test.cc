// Gradients of training kernels against the naive twin; the twin against finite differences.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "layer_check.h"
#include "lookupffn_formulas.h"
#include "lookupffn_gradients.h"
#include "reference/random_numbers.h"
#include "training_step.h"

namespace lookupffn {
namespace {

using namespace checks;

// Rows of x, none of whose z is so near 0 that the gradient's step, or rounding, could flip its bit.
std::vector<float> tokens_away_from_flips(const reference::Layer& layer, size_t tokens, uint64_t seed, double margin) {
  const size_t d_in = layer.shape.d_in, outputs = layer.shape.tables * layer.shape.bits;
  std::vector<float> chosen;
  for (uint64_t attempt = 0; chosen.size() < tokens * d_in && attempt < 400; ++attempt) {
    const std::vector<float> x = reference::random_tokens(std::max<size_t>(tokens, 16), d_in, seed + 1000 * attempt);
    const std::vector<double> z = reference::projection(layer, reference::layer_norm(layer, x));
    for (size_t n = 0; n * d_in < x.size() && chosen.size() < tokens * d_in; ++n) {
      bool away = true;
      for (size_t k = 0; k < outputs; ++k) away = away && std::fabs(z[n * outputs + k]) > margin;
      if (away) chosen.insert(chosen.end(), x.begin() + n * d_in, x.begin() + (n + 1) * d_in);
    }
  }
  EXPECT_EQ(chosen.size(), tokens * d_in) << "too few tokens away from code flips";
  return chosen;
}

double norm(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value * value;
  return std::sqrt(sum);
}

void expect_near(const char* name, const std::vector<float>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size()) << name;
  std::vector<double> off(expected.size());
  for (size_t i = 0; i < off.size(); ++i) off[i] = got[i] - expected[i];
  const double size = norm(expected), root = std::sqrt(static_cast<double>(off.size()));
  EXPECT_LE(norm(off), 1e-4 * size + 1e-5 * root) << name;
  for (size_t i = 0; i < off.size(); ++i) {
    ASSERT_LE(std::fabs(off[i]), 1e-4 * (std::fabs(expected[i]) + 4 * size / root) + 1e-5) << name << "[" << i << "]";
  }
}

void expect_near(const StepResult& got, const reference::Layer& layer, const std::vector<float>& x,
                 const std::vector<float>& d_y) {
  const reference::Gradients expected = reference::gradients(layer, x, d_y);
  expect_near("y", got.y, reference::forward(layer, x).y);
  expect_near("x", got.x, expected.x);
  expect_near("gamma", got.gamma, expected.gamma);
  expect_near("beta", got.beta, expected.beta);
  expect_near("weight", got.weight, expected.weight);
  expect_near("projection_bias", got.projection_bias, expected.projection_bias);
  expect_near("table", got.table, expected.table);
  expect_near("bias", got.bias, expected.bias);
}

void expect_same_bits(const StepResult& one, const StepResult& other) {
  EXPECT_EQ(one.y, other.y);
  EXPECT_EQ(one.x, other.x);
  EXPECT_EQ(one.gamma, other.gamma);
  EXPECT_EQ(one.beta, other.beta);
  EXPECT_EQ(one.weight, other.weight);
  EXPECT_EQ(one.projection_bias, other.projection_bias);
  EXPECT_EQ(one.table, other.table);
  EXPECT_EQ(one.bias, other.bias);
  EXPECT_EQ(one.rows, other.rows);
}

// Of every kind: padding, SIMD edges, blocks that are widened, one block and many, codes that straddle repeats, p < 16.
const char* const kShapes[] = {
    "d_in=1 d_out=1 tables=1 bits=1 projection=dense",
    "d_in=33 d_out=17 tables=5 bits=7 projection=dense",
    "d_in=64 d_out=64 tables=16 bits=4 projection=dense",
    "d_in=130 d_out=129 tables=9 bits=8 projection=dense",
    "d_in=1 d_out=2 tables=3 bits=2 projection=bh4 block=1",
    "d_in=5 d_out=8 tables=9 bits=4 projection=bh4 block=2",
    "d_in=16 d_out=31 tables=7 bits=5 projection=bh4 block=4",
    "d_in=48 d_out=48 tables=40 bits=4 projection=bh4 block=64",
    "d_in=100 d_out=33 tables=3 bits=11 projection=bh4 block=1",
    "d_in=64 d_out=96 tables=20 bits=8 projection=bh4 block=16",
    "d_in=200 d_out=100 tables=33 bits=8 projection=bh4 block=32",
};

TEST(Gradients, TheTwinIsTheSlopeOfTheFormulas) {
  for (const char* text : {kShapes[0], kShapes[1], kShapes[5], kShapes[6], kShapes[9]}) {
    SCOPED_TRACE(text);
    const uint64_t seed = 3;
    reference::Layer layer = reference::random_layer(shape_from(text), seed);
    std::vector<float> x = tokens_away_from_flips(layer, 2, seed, 3e-3);
    const std::vector<float> d_y = reference::RandomNumbers(seed).normals(2 * layer.shape.d_out, 1);
    const reference::Gradients of = reference::gradients(layer, x, d_y);
    const auto value = [&] {
      const std::vector<double> y = reference::forward(layer, x).y;
      double sum = 0;
      for (size_t i = 0; i < y.size(); ++i) sum += y[i] * d_y[i];
      return sum;
    };
    const auto check = [&](const char* name, std::vector<float>& values, const std::vector<double>& gradient) {
      // Along the gradient and along single values; steps are what floats make of them.
      const double size = norm(gradient);
      std::vector<std::vector<size_t>> moved(1);
      for (size_t i = 0; i < values.size(); ++i) moved[0].push_back(i);
      for (size_t i = 0; i < values.size(); i += values.size() / 7 + 1) moved.push_back({i});
      for (const std::vector<size_t>& which : moved) {
        const std::vector<float> kept = values;
        const double step = which.size() == 1 ? 1e-3 : size > 0 ? 3e-4 / size : 0;
        double expected = 0, results[2];
        for (int side = 0; side < 2; ++side) {
          for (size_t i : which) {
            values[i] = kept[i] + float((side == 0 ? 1 : -1) * step * (which.size() == 1 ? 1 : gradient[i]));
            expected += (side == 0 ? 1 : -1) * gradient[i] * (double(values[i]) - kept[i]);
          }
          results[side] = value();
          values = kept;
        }
        EXPECT_NEAR(results[0] - results[1], expected, 2e-3 * std::fabs(expected) + 2e-6 * size + 1e-9) << name << which.front();
      }
    };
    check("x", x, of.x);
    check("gamma", layer.gamma, of.gamma);
    check("beta", layer.beta, of.beta);
    check("weight", layer.weight, of.weight);
    check("projection_bias", layer.projection_bias, of.projection_bias);
    check("table", layer.table, of.table);
    check("bias", layer.bias, of.bias);
  }
}

TEST(Gradients, KernelsAreTheTwin) {
  uint64_t seed = 10;
  for (const char* text : kShapes) {
    for (const size_t tokens : {1, 7, 70, 300}) {
      const reference::Layer layer = reference::random_layer(shape_from(text), ++seed);
      const std::vector<float> x = tokens_away_from_flips(layer, tokens, seed, 1e-4);
      const std::vector<float> d_y = reference::RandomNumbers(seed).normals(tokens * layer.shape.d_out, 1);
      for (const std::string& isa : runnable_isas()) {
        SCOPED_TRACE(std::string(text) + ", " + std::to_string(tokens) + " tokens, " + isa + ", seed " + std::to_string(seed));
        const StepResult dense = run_step(layer, x, d_y, {isa, 1, TableGradient::kDense, nullptr, tokens % 5});
        expect_near(dense, layer, x, d_y);
        // Sparse: the same rows, without those that are not picked.
        const StepResult sparse = run_step(layer, x, d_y, {isa, 3, TableGradient::kSparse, nullptr, 0});
        StepResult spread = sparse;
        spread.table.assign(layer.table.size(), 0.0f);
        const size_t d_out = layer.shape.d_out;
        for (size_t k = 0; k < sparse.rows.size(); ++k) {
          if (k > 0) {
            ASSERT_GT(sparse.rows[k], sparse.rows[k - 1]);
          }
          std::copy_n(&sparse.table[k * d_out], d_out, &spread.table[size_t(sparse.rows[k]) * d_out]);
        }
        expect_same_bits(dense, spread);
      }
    }
  }
}

// One row for all tokens of a table, and rows of many tokens: sums of one row longer than what is read at a time.
TEST(Gradients, ManyTokensOnOneRow) {
  reference::Layer layer = reference::random_layer(reference::dense_shape(16, 70, 2, 1), 5);
  const std::vector<float> x = tokens_away_from_flips(layer, 1500, 6, 1e-4);
  const std::vector<float> d_y = reference::RandomNumbers(7).normals(1500 * 70, 1);
  for (const std::string& isa : runnable_isas()) {
    const StepResult one = run_step(layer, x, d_y, {isa, 1});
    expect_near(one, layer, x, d_y);
    for (const size_t threads : {2, 5}) expect_same_bits(run_step(layer, x, d_y, {isa, threads}), one);
  }
}

TEST(Gradients, ARowOfNaNTouchesNoOtherTokensGradient) {
  const reference::Layer layer = reference::random_layer(reference::bh4_shape(24, 20, 6, 4, 8), 8);
  std::vector<float> x = tokens_away_from_flips(layer, 9, 9, 1e-4);
  const std::vector<float> d_y = reference::RandomNumbers(10).normals(9 * 20, 1);
  const std::string isa = runnable_isas().back();
  const StepResult before = run_step(layer, x, d_y, {isa});
  x[4 * 24 + 3] = NAN;
  const StepResult after = run_step(layer, x, d_y, {isa});
  for (size_t n = 0; n < 9; ++n) {
    for (size_t i = 0; i < 24; ++i) {
      if (n == 4) {
        EXPECT_FALSE(std::isfinite(after.x[n * 24 + i]));
      } else {
        EXPECT_EQ(after.x[n * 24 + i], before.x[n * 24 + i]);
      }
    }
  }
}

}  // namespace
}  // namespace lookupffn
