#include "lookupffn_training_twin.h"

#include <cmath>
#include <stdexcept>
#include <utility>

#include "lookupffn_formulas.h"
#include "lookupffn_gradients.h"
#include "lookupffn_layer.h"
#include "plain_layer.h"
#include "reference/random_numbers.h"

namespace lookupffn::reference {
namespace {

// A |z| below this may have another sign in floats than in doubles.
constexpr double kMargin = 1e-4;
// Sums in floats are off by so much of the whole array's size, and of a value.
constexpr double kTolerance = 1e-4, kLeast = 1e-5;

std::string difference(const char* name, const float* given, const std::vector<double>& expected) {
  double size = 0, off = 0;
  for (const double value : expected) size += value * value;
  size = std::sqrt(size);
  const double root = std::sqrt(static_cast<double>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    const double one = std::fabs(given[i] - expected[i]);
    off += one * one;
    if (!(one <= kTolerance * (std::fabs(expected[i]) + 4 * size / root) + kLeast)) {
      return std::string(name) + "[" + std::to_string(i) + "] is " + std::to_string(given[i]) + ", not " +
             std::to_string(expected[i]);
    }
  }
  if (std::sqrt(off) <= kTolerance * size + kLeast * root) return "";
  return std::string(name) + " is off by " + std::to_string(std::sqrt(off));
}

class LookupffnTrainingTwin final : public TrainingTwin {
 public:
  explicit LookupffnTrainingTwin(Layer layer) : layer_(std::move(layer)) {}

  const lookupffn_shape& shape() const override { return layer_.shape; }

  lookupffn_weights weights() const override {
    return {layer_.gamma.data(),           layer_.beta.data(),  layer_.weight.data(),
            layer_.projection_bias.data(), layer_.table.data(), layer_.bias.data()};
  }

  size_t projection_floats() const override { return layer_.weight.size(); }

  std::vector<float> random_x(size_t tokens, uint64_t seed) const override {
    const size_t d_in = layer_.shape.d_in, outputs = layer_.shape.tables * layer_.shape.bits;
    std::vector<float> chosen;
    for (uint64_t attempt = 0; chosen.size() < tokens * d_in; ++attempt) {
      if (attempt > 100) throw std::runtime_error("too few random tokens are away from flips of a bit of their codes");
      const std::vector<float> x = random_tokens(tokens, d_in, seed + 1000 * attempt);
      const std::vector<double> z = projection(layer_, layer_norm(layer_, x));
      for (size_t n = 0; n < tokens && chosen.size() < tokens * d_in; ++n) {
        bool away = true;
        for (size_t k = 0; k < outputs; ++k) away = away && std::fabs(z[n * outputs + k]) > kMargin;
        if (away) chosen.insert(chosen.end(), x.begin() + n * d_in, x.begin() + (n + 1) * d_in);
      }
    }
    return chosen;
  }

  std::string judge(const std::vector<float>& x, const std::vector<float>& d_y, const lookupffn_row_adam& adam,
                    const StepResults& given) const override {
    Gradients expected = gradients(layer_, x, d_y);
    for (double& value : expected.table) value *= 1 - adam.beta1;
    const std::pair<const char*, std::pair<const float*, const std::vector<double>*>> arrays[] = {
        {"the gradient of x", {given.x, &expected.x}},
        {"the gradient of norm_weight", {given.norm_weight, &expected.gamma}},
        {"the gradient of norm_bias", {given.norm_bias, &expected.beta}},
        {"the gradient of the projection", {given.projection_weight, &expected.weight}},
        {"the gradient of projection_bias", {given.projection_bias, &expected.projection_bias}},
        {"the gradient of bias", {given.bias, &expected.bias}},
        {"the mean of the tables' gradient", {given.mean, &expected.table}},
    };
    for (const auto& [name, values] : arrays) {
      const std::string wrong = difference(name, values.first, *values.second);
      if (!wrong.empty()) return wrong;
    }
    const std::string wrong = difference("y", given.y, forward(layer_, x).y);
    return wrong.empty() ? wrong_update(adam, given) : wrong;
  }

 private:
  // By the moments that were given: the sign of a gradient near zero, which decides a first step, is a matter of rounding.
  std::string wrong_update(const lookupffn_row_adam& adam, const StepResults& given) const {
    std::vector<double> square(layer_.table.size()), table(layer_.table.begin(), layer_.table.end());
    for (size_t i = 0; i < table.size(); ++i) {
      const double gradient = given.mean[i] / (1 - adam.beta1);
      square[i] = (1 - adam.beta2) * gradient * gradient;
      table[i] -= adam.lr * gradient / (std::sqrt(given.square[i] / (1 - adam.beta2)) + adam.eps);
    }
    const std::string wrong = difference("the square of the tables' gradient", given.square, square);
    return wrong.empty() ? difference("the tables", given.tables, table) : wrong;
  }

  const Layer layer_;
};

}  // namespace

std::unique_ptr<TrainingTwin> lookupffn_training_twin(const ModelLayer& source) {
  return std::make_unique<LookupffnTrainingTwin>(layer_from(weights_of(source)));
}

}  // namespace lookupffn::reference
