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

Continuation::Continuation(const Transformer& model, const std::string& prompt, const GenerationOptions& options)
    : model_(model), temperature_(options.temperature), random_(options.seed), context_(model) {
  for (const char c : prompt.empty() ? std::string("\n") : prompt) bytes_.push_back(static_cast<unsigned char>(c));
  unseen_ = std::min(bytes_.size(), model.shape().max_length);
}

uint8_t Continuation::next(PartSeconds* seconds) {
  if (context_.length() + unseen_ > model_.shape().max_length) {
    context_.clear();
    unseen_ = std::max<size_t>(1, model_.shape().max_length / 2);
  }
  const Row logits = model_.next_logits(bytes_.data() + bytes_.size() - unseen_, unseen_, &context_, seconds);
  bytes_.push_back(pick(logits, temperature_, &random_));
  unseen_ = 1;
  return static_cast<uint8_t>(bytes_.back());
}

std::string continue_text(const Transformer& model, const std::string& prompt, const GenerationOptions& options) {
  Continuation continuation(model, prompt, options);
  PartSeconds seconds{};
  std::string text;
  while (text.size() < options.length) text += static_cast<char>(continuation.next(&seconds));
  return text;
}

}  // namespace byte_lm
