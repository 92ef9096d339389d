#include "synthetic_layer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "random_numbers.h"
#include "safetensors_writer.h"

namespace lookupffn::bench {
namespace {

// The s of Phi(s g) for which eight bits have 7.21 and 4.56 bits of entropy in the mean.
constexpr float kSkewOfFirstLayer = 0.501f;
constexpr float kSkewOfSecondLayer = 1.499f;

std::vector<float> spread(RandomNumbers& random, size_t count, float deviation) {
  std::vector<float> values(count);
  for (float& value : values) value = random.spread(deviation);
  return values;
}

}  // namespace

Codes codes_of_name(const std::string& name) {
  if (name == "random") return Codes::kRandom;
  if (name == "skewed") return Codes::kSkewed;
  throw std::invalid_argument("unknown codes '" + name + "'; of family lookupffn there are random, skewed");
}

SyntheticLayer make_synthetic_layer(const Workload& workload, Codes codes) {
  RandomNumbers random(1);
  SyntheticLayer layer;
  layer.workload = workload;
  const size_t d = workload.d, outputs = workload.tables * workload.bits;
  layer.gamma.assign(d, 1.0f);
  layer.beta.assign(d, 0.0f);

  float z_deviation = 1;
  if (workload.projection == LOOKUPFFN_DENSE) {
    layer.weight = spread(random, outputs * d, 1 / std::sqrt(static_cast<float>(d)));
  } else {
    // A stage sums `block` products and its Hadamard transform p values; LayerNorm's output, padded, has
    // variance d/p, which the second term makes up for.
    const size_t p = workload.padded(), block = workload.block;
    const size_t stage = p * block;
    const float deviation = 1 / std::sqrt(static_cast<float>(block) * p);
    const float first = deviation * std::sqrt(static_cast<float>(p) / d);
    for (size_t r = 0; r < workload.repeats(); ++r) {
      for (int s = 0; s < 4; ++s) {
        const std::vector<float> part = spread(random, stage, s == 0 ? first : deviation);
        layer.weight.insert(layer.weight.end(), part.begin(), part.end());
      }
    }
    z_deviation = std::sqrt(kDecay * kDecay + (1 - kDecay) * (1 - kDecay));
  }

  layer.projection_bias.assign(outputs, 0.0f);
  layer.bit_probability.assign(outputs, 0.5f);
  if (codes == Codes::kSkewed) {
    for (size_t i = 0; i < outputs; ++i) {
      const bool even = i / workload.bits % 2 == 0;
      const float shift = (even ? kSkewOfFirstLayer : kSkewOfSecondLayer) * random.normal();
      layer.projection_bias[i] = shift * z_deviation;
      layer.bit_probability[i] = 0.5f * std::erfc(-shift / std::sqrt(2.0f));
    }
  }
  layer.table = spread(random, workload.tables * workload.rows() * workload.d_out, 0.05f);
  layer.bias = spread(random, workload.d_out, 0.05f);
  return layer;
}

std::vector<uint8_t> SyntheticLayer::model_bytes() const {
  const size_t d = workload.d, block = workload.block;
  std::vector<size_t> weight_shape = {workload.tables * workload.bits, d};
  if (workload.projection == LOOKUPFFN_BH4) {
    weight_shape = {workload.repeats(), 4, workload.padded() / block, block, block};
  }
  const auto f32 = ElementType::kF32;
  return safetensors_bytes({
      {"LayerNorm.weight", f32, {d}, gamma.data()},
      {"LayerNorm.bias", f32, {d}, beta.data()},
      {"hash.projection.weight", f32, weight_shape, weight.data()},
      {"hash.projection.bias", f32, {workload.tables * workload.bits}, projection_bias.data()},
      {"tables", f32, {workload.tables, workload.rows(), workload.d_out}, table.data()},
      {"bias", f32, {workload.d_out}, bias.data()},
  });
}

lookupffn_layer* pack_synthetic_layer(const SyntheticLayer& layer, const lookupffn_pack_options& options) {
  const std::vector<uint8_t> bytes = layer.model_bytes();
  lookupffn_model* model = nullptr;
  if (lookupffn_model_open_memory(bytes.data(), bytes.size(), &model) != LOOKUPFFN_OK) {
    throw std::runtime_error(lookupffn_last_message());
  }
  lookupffn_layer* packed = nullptr;
  const lookupffn_status status = lookupffn_layer_pack(model, "", &options, &packed);
  lookupffn_model_close(model);
  if (status != LOOKUPFFN_OK) throw std::runtime_error(lookupffn_last_message());
  return packed;
}

TokenRing make_token_ring(const SyntheticLayer& layer, size_t largest_call) {
  RandomNumbers random(2);
  const Workload& workload = layer.workload;
  TokenRing ring;
  ring.tokens = std::max<size_t>(16 * workload.rows(), 2 * largest_call);
  ring.x = spread(random, ring.tokens * workload.d, 1.0f);
  ring.code.resize(ring.tokens * workload.tables);
  ring.score.resize(ring.code.size());
  for (size_t i = 0; i < ring.code.size(); ++i) {
    const float* probability = &layer.bit_probability[i % workload.tables * workload.bits];
    int32_t code = 0;
    for (size_t j = 0; j < workload.bits; ++j) code = code * 2 + (random.uniform() < probability[j]);
    ring.code[i] = code;
    ring.score[i] = 0.5f + 4 * random.uniform();
  }
  return ring;
}

}  // namespace lookupffn::bench
