#include "generation.h"

#include <algorithm>
#include <random>
#include <vector>

namespace byte_lm {
namespace {

int32_t pick(const Row& logits, double temperature, std::mt19937_64* random) {
  Eigen::Index likeliest = 0;
  const double most = logits.maxCoeff(&likeliest);
  if (temperature == 0) return static_cast<int32_t>(likeliest);
  const Eigen::ArrayXd weights = ((logits.transpose().cast<double>().array() - most) / temperature).exp();
  std::discrete_distribution<int32_t> distribution(weights.data(), weights.data() + weights.size());
  return distribution(*random);
}

}  // namespace

std::string continue_text(const Transformer& model, const std::string& prompt, const GenerationOptions& options) {
  std::vector<int32_t> bytes;
  for (const char c : prompt.empty() ? std::string("\n") : prompt) bytes.push_back(static_cast<unsigned char>(c));
  std::mt19937_64 random(options.seed);
  std::string text;
  for (size_t i = 0; i < options.length; ++i) {
    const size_t length = std::min(bytes.size(), model.shape().max_length);
    const Row logits = model.next_logits(bytes.data() + bytes.size() - length, length);
    bytes.push_back(pick(logits, options.temperature, &random));
    text += static_cast<char>(bytes.back());
  }
  return text;
}

}  // namespace byte_lm
