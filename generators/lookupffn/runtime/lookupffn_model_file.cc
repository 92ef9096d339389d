// A LookupFFN layer's part of a model file.
#include "lookupffn_model_file.h"

#include <algorithm>
#include <limits>
#include <set>

#include "tensor_reader.h"

namespace lookupffn {
namespace {

constexpr char kProjectionWeight[] = "hash.projection.weight";
constexpr char kProjectionBias[] = "hash.projection.bias";

struct Hyperparameters {
  float decay, layer_norm_eps;
};

Hyperparameters read_metadata(const TensorReader& reader) {
  const Hyperparameters result = {reader.metadata_float("decay", 0.7f), reader.metadata_float("layer_norm_eps", 1e-5f)};
  // decay blends two vectors: outside 0 to 1 it is no share.
  if (!(result.decay >= 0 && result.decay <= 1)) reader.refuse_metadata("decay", "not from 0 to 1");
  // Without a positive eps a constant row of x, all zeros say, divides by zero; a subnormal one is zero to
  // kernels that flush subnormals.
  if (!(result.layer_norm_eps >= std::numeric_limits<float>::min())) {
    reader.refuse_metadata("layer_norm_eps", "not a positive number (1.2e-38 or more)");
  }
  return result;
}

void read_table_shape(const TensorReader& reader, LayerWeights& layer) {
  const TensorView& view = layer.tables;
  reader.check_rank(view, 3);
  lookupffn_shape& shape = layer.shape;
  shape.tables = shape.lookups = view.shape[0];
  shape.rows = view.shape[1];
  shape.d_out = view.shape[2];
  reader.check_range(view, "tables", shape.tables, kMaxTables);
  if (!is_power_of_two(shape.rows) || shape.rows < 2 || shape.rows > size_t{1} << kMaxBits) {
    reader.refuse(view, "has " + std::to_string(shape.rows) + " rows a table; a power of two from 2 to 65536 is needed");
  }
  reader.check_range(view, "d_out", shape.d_out, kMaxWidth);
  while (size_t{1} << shape.bits < shape.rows) ++shape.bits;
}

void read_projection_shape(const TensorReader& reader, LayerWeights& layer, float decay) {
  const TensorView& view = layer.projection_weight;
  lookupffn_shape& shape = layer.shape;
  const size_t outputs = shape.tables * shape.bits;
  if (view.shape.size() == 2) {
    shape.projection = LOOKUPFFN_DENSE;
    shape.decay = 1;
    reader.expect_shape(view, {outputs, shape.d_in});
    return;
  }
  if (view.shape.size() != 5) {
    reader.refuse(view, "has " + std::to_string(view.shape.size()) + " dimensions; 2 (dense) or 5 (BH4) are needed");
  }
  const size_t padded = power_of_two_from(shape.d_in);
  shape.projection = LOOKUPFFN_BH4;
  shape.decay = decay;
  shape.block = view.shape[4];
  shape.repeats = std::max<size_t>(1, (outputs + padded - 1) / padded);
  if (!is_power_of_two(shape.block) || shape.block > padded) {
    reader.refuse(view, "has blocks of " + std::to_string(shape.block) + "; a power of two up to " + std::to_string(padded) +
                            " (d_in " + std::to_string(shape.d_in) + " padded) is needed");
  }
  reader.expect_shape(view, {shape.repeats, 4, padded / shape.block, shape.block, shape.block});
}

}  // namespace

bool is_without_layer_norm(const SafetensorsFile& file, const std::string& prefix) {
  const TensorView* tables = file.find(prefix + "tables");
  return tables != nullptr && tables->shape.size() == 2 && file.find(prefix + "LayerNorm.weight") == nullptr;
}

std::vector<std::string> find_lookupffn_layers(const SafetensorsFile& file) {
  std::set<std::string> prefixes;
  for (const TensorView& tensor : file.tensors()) {
    for (const std::string& name : {std::string(kProjectionWeight), std::string(kProjectionBias)}) {
      if (!has_suffix(tensor.name, name)) continue;
      const std::string prefix = tensor.name.substr(0, tensor.name.size() - name.size());
      if (!is_without_layer_norm(file, prefix)) prefixes.insert(prefix);
    }
  }
  return {prefixes.begin(), prefixes.end()};
}

LayerWeights read_lookupffn_layer(const SafetensorsFile& file, const std::string& prefix) {
  const TensorReader reader(file, prefix);
  const Hyperparameters hyperparameters = read_metadata(reader);
  LayerWeights layer{};
  layer.layer_norm_weight = reader.tensor("LayerNorm.weight");
  layer.layer_norm_bias = reader.tensor("LayerNorm.bias");
  layer.projection_weight = reader.tensor(kProjectionWeight);
  layer.projection_bias = reader.tensor(kProjectionBias);
  layer.tables = reader.tensor("tables");
  layer.bias = reader.tensor("bias");

  lookupffn_shape& shape = layer.shape;
  shape.family = "lookupffn";
  shape.layer_norm_eps = hyperparameters.layer_norm_eps;
  read_table_shape(reader, layer);
  reader.check_rank(layer.layer_norm_weight, 1);
  shape.d_in = layer.layer_norm_weight.shape[0];
  reader.check_range(layer.layer_norm_weight, "d_in", shape.d_in, kMaxWidth);
  read_projection_shape(reader, layer, hyperparameters.decay);

  reader.expect_shape(layer.layer_norm_bias, {shape.d_in});
  reader.expect_shape(layer.projection_bias, {shape.tables * shape.bits});
  reader.expect_shape(layer.bias, {shape.d_out});
  for (const TensorView* view : {&layer.layer_norm_weight, &layer.layer_norm_bias, &layer.projection_weight,
                                 &layer.projection_bias, &layer.bias, &layer.tables}) {
    reader.check_finite(*view);
  }
  return layer;
}

}  // namespace lookupffn
