#include "plain_layer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <list>
#include <map>

#include "float_types.h"
#include "reference/random_numbers.h"
#include "safetensors_writer.h"

namespace lookupffn::reference {
namespace {

std::vector<float> floats_of(const TensorView& tensor) {
  if (tensor.shape.empty()) return {};  // there is none
  std::vector<float> values(tensor.elements());
  read_floats(tensor, 0, values.size(), values.data());
  return values;
}

std::string number_text(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));  // 9 digits tell all floats apart
  return text;
}

std::vector<uint8_t> narrowed(const std::vector<float>& values, ElementType type) {
  std::vector<uint8_t> bytes(values.size() * element_bytes(type));
  if (values.empty()) return bytes;
  if (type == ElementType::kF32) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t half = type == ElementType::kF16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
    std::memcpy(bytes.data() + 2 * i, &half, sizeof half);
  }
  return bytes;
}

}  // namespace

size_t padded_width(const lookupffn_shape& shape) {
  size_t p = 1;
  while (p < shape.d_in) p *= 2;
  return p;
}

lookupffn_shape dense_shape(size_t d_in, size_t d_out, size_t tables, size_t bits) {
  lookupffn_shape shape{};
  shape.prefix = "";
  shape.projection = LOOKUPFFN_DENSE;
  shape.d_in = d_in;
  shape.d_out = d_out;
  shape.tables = tables;
  shape.bits = bits;
  shape.rows = size_t{1} << bits;
  shape.decay = 1;
  shape.layer_norm_eps = 1e-5f;
  return shape;
}

lookupffn_shape bh4_shape(size_t d_in, size_t d_out, size_t tables, size_t bits, size_t block) {
  lookupffn_shape shape = dense_shape(d_in, d_out, tables, bits);
  shape.projection = LOOKUPFFN_BH4;
  shape.block = block;
  const size_t p = padded_width(shape);
  shape.repeats = std::max<size_t>(1, (tables * bits + p - 1) / p);
  shape.decay = 0.7f;
  return shape;
}

Layer layer_from(const LayerWeights& weights) {
  Layer layer;
  layer.shape = weights.shape;
  layer.shape.prefix = "";
  layer.rules = weights.rules;
  layer.gamma = floats_of(weights.layer_norm_weight);
  layer.beta = floats_of(weights.layer_norm_bias);
  layer.weight = floats_of(weights.projection_weight);
  layer.projection_bias = floats_of(weights.projection_bias);
  layer.table = floats_of(weights.tables);
  layer.bias = floats_of(weights.bias);
  return layer;
}

lookupffn_shape unprojected_shape(size_t d_out, size_t tables, size_t bits) {
  lookupffn_shape shape = dense_shape(tables * bits, d_out, tables, bits);
  shape.projection = LOOKUPFFN_NO_PROJECTION;
  return shape;
}

Layer random_layer(const lookupffn_shape& shape, uint64_t seed, const HashRules& rules) {
  RandomNumbers random(seed);
  Layer layer;
  layer.shape = shape;
  layer.rules = rules;
  if (rules.layer_norm) {
    layer.gamma = random.normals(shape.d_in, 0.2, 1.0);
    layer.beta = random.normals(shape.d_in, 0.1);
  }
  if (shape.projection == LOOKUPFFN_DENSE) {
    layer.weight = random.normals(shape.tables * shape.bits * shape.d_in, 1.0 / std::sqrt(shape.d_in));
  } else if (shape.projection == LOOKUPFFN_BH4) {
    // A block product multiplies the variance by block * deviation^2, the unnormalised Hadamard by p.
    const double p = static_cast<double>(padded_width(shape));
    const double deviation = 1.0 / std::sqrt(static_cast<double>(shape.block) * p);
    layer.weight = random.normals(shape.repeats * 4 * padded_width(shape) * shape.block, deviation);
  }
  if (rules.projection) layer.projection_bias = random.normals(shape.tables * shape.bits, 0.1);
  layer.table = random.normals(shape.tables * shape.rows * shape.d_out, 0.1);
  layer.bias = random.normals(shape.d_out, 0.1);
  return layer;
}

std::vector<uint8_t> model_bytes(const std::vector<NamedLayer>& layers, ElementType type) {
  std::list<std::vector<uint8_t>> held;  // a list: what was put in stays where it is
  std::vector<TensorSource> tensors;
  for (const NamedLayer& named : layers) {
    const Layer& layer = *named.layer;
    const lookupffn_shape& shape = layer.shape;
    const size_t p = padded_width(shape);
    auto add = [&](const char* name, const std::vector<float>& values, std::vector<size_t> extents) {
      held.push_back(narrowed(values, type));
      tensors.push_back({named.prefix + name, type, std::move(extents), held.back().data()});
    };
    const std::vector<size_t> weight_shape =
        shape.projection != LOOKUPFFN_BH4 ? std::vector<size_t>{shape.tables * shape.bits, shape.d_in}
                                          : std::vector<size_t>{shape.repeats, 4, p / shape.block, shape.block, shape.block};
    if (layer.rules.layer_norm) {
      add("LayerNorm.weight", layer.gamma, {shape.d_in});
      add("LayerNorm.bias", layer.beta, {shape.d_in});
    }
    if (layer.rules.projection) {
      add("hash.projection.weight", layer.weight, weight_shape);
      add("hash.projection.bias", layer.projection_bias, {shape.tables * shape.bits});
    }
    if (layer.rules.layer_norm) {
      add("tables", layer.table, {shape.tables, shape.rows, shape.d_out});
    } else {
      add("tables", layer.table, {shape.tables * shape.rows, shape.d_out});
    }
    add("bias", layer.bias, {shape.d_out});
  }
  std::map<std::string, std::string> metadata;
  if (!layers.empty()) {
    const lookupffn_shape& shape = layers.front().layer->shape;
    if (layers.front().layer->rules.layer_norm) {
      metadata["layer_norm_eps"] = number_text(shape.layer_norm_eps);
    } else {
      metadata["bits"] = std::to_string(shape.bits);
    }
    if (shape.projection == LOOKUPFFN_BH4) metadata["decay"] = number_text(shape.decay);
  }
  return safetensors_bytes(tensors, metadata);
}

std::vector<uint8_t> model_bytes(const Layer& layer, const std::string& prefix, ElementType type) {
  return model_bytes({{prefix, &layer}}, type);
}

}  // namespace lookupffn::reference
