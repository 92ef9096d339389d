// A MemoryFormer layer's part of a model file.
#include "memoryformer_model_file.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>

#include "lookupffn_layer.h"
#include "lookupffn_model_file.h"
#include "memoryformer_rules.h"
#include "model.h"
#include "tensor_reader.h"

namespace lookupffn {
namespace {

constexpr char kTables[] = "tables";
constexpr char kOwnProjection[] = "hash.projection.";
constexpr char kSharedProjection[] = "hash_proj.";

using Json = nlohmann::json;

// A number of bits, kMaxBits + 1 where it is larger; 0: none.
size_t bits_of(const Json& number) {
  return number.is_number_unsigned() ? size_t(std::min<uint64_t>(number.get<uint64_t>(), kMaxBits + 1)) : 0;
}

// The same of a number, or of a list with one for each layer of the file.
size_t bits_of(const Json& value, const SafetensorsFile& file, const std::string& prefix) {
  if (!value.is_array()) return bits_of(value);
  const std::vector<std::string> layers = find_memoryformer_layers(file);
  const size_t index = size_t(std::find(layers.begin(), layers.end(), prefix) - layers.begin());
  return index < value.size() ? bits_of(value[index]) : 0;
}

// What __metadata__ says of the layer's bits, 0: nothing.
size_t metadata_bits(const TensorReader& reader, const std::string& prefix) {
  const std::map<std::string, std::string>& metadata = reader.file().metadata();
  size_t bits = 0;
  const char* key = "bits";
  if (const auto found = metadata.find(key); found != metadata.end()) {
    bits = bits_of(Json::parse(found->second, nullptr, false), reader.file(), prefix);
    if (bits == 0) reader.refuse_metadata(key, "neither a number of bits nor a list of one for each layer");
  } else if (const auto config = metadata.find("config"); config != metadata.end()) {
    key = "config";
    const Json object = Json::parse(config->second, nullptr, false);
    if (object.is_object() && object.contains("bits")) bits = bits_of(object["bits"], reader.file(), prefix);
  }
  if (bits > kMaxBits) reader.refuse_metadata(key, "more bits than " + std::to_string(kMaxBits));
  return bits;
}

// The numbers of bits that tables of so many rows in all and a projection to so many outputs have: rows = tables 2^bits,
// outputs = tables bits. One at most, or 1 and 2.
std::vector<size_t> possible_bits(size_t all_rows, size_t outputs) {
  std::vector<size_t> possible;
  for (size_t bits = 1; bits <= kMaxBits; ++bits) {
    if (outputs % bits == 0 && all_rows % (outputs / bits) == 0 && all_rows / (outputs / bits) == size_t{1} << bits) {
      possible.push_back(bits);
    }
  }
  return possible;
}

// Where the layer's projection is: before .weight and .bias, with a prefix; "" where it has none.
std::string projection_name(const SafetensorsFile& file, const std::string& prefix) {
  const size_t dot = prefix.size() < 2 ? std::string::npos : prefix.rfind('.', prefix.size() - 2);
  const std::string parent = dot == std::string::npos ? "" : prefix.substr(0, dot + 1);
  for (const std::string& name : {prefix + kOwnProjection, parent + kSharedProjection}) {
    if (file.find(name + "weight") != nullptr || file.find(name + "bias") != nullptr) return name;
  }
  return "";
}

void read_projection(const SafetensorsFile& file, const std::string& name, LayerWeights& layer) {
  const TensorReader reader(file, name);
  layer.projection_weight = reader.tensor("weight");
  layer.projection_bias = reader.tensor("bias");
  reader.check_rank(layer.projection_weight, 2);
  layer.shape.d_in = layer.projection_weight.shape[1];
  reader.check_range(layer.projection_weight, "d_in", layer.shape.d_in, kMaxWidth);
  reader.expect_shape(layer.projection_bias, {layer.projection_weight.shape[0]});
}

// Sets bits, rows and tables.
void solve_shape(const TensorReader& reader, const std::string& prefix, LayerWeights& layer) {
  lookupffn_shape& shape = layer.shape;
  const size_t all_rows = layer.tables.shape[0];
  const std::string of_rows = "has " + std::to_string(all_rows) + " rows";
  if (layer.rules.projection) {
    const size_t outputs = layer.projection_weight.shape[0];
    const std::vector<size_t> possible = possible_bits(all_rows, outputs);
    const std::string of_outputs = " and the projection " + std::to_string(outputs) + " outputs";
    if (possible.empty())
      reader.refuse(layer.tables, of_rows + of_outputs + "; T * 2^K and T * K of the same T and K are needed");
    shape.bits = possible.front();
    if (possible.size() > 1) {
      const size_t bits = metadata_bits(reader, prefix);
      if (std::find(possible.begin(), possible.end(), bits) == possible.end()) {
        reader.refuse(layer.tables, of_rows + of_outputs + ", of 1 bit or of 2: __metadata__ 'bits' must say which");
      }
      shape.bits = bits;
    }
  } else {
    shape.bits = metadata_bits(reader, prefix);
    if (shape.bits == 0) {
      reader.refuse(layer.tables,
                    of_rows + " of any number of bits, for there is no projection: __metadata__ 'bits' must say how many");
    }
    if (all_rows == 0 || all_rows % (size_t{1} << shape.bits) != 0) {
      reader.refuse(layer.tables, of_rows + "; tables of " + std::to_string(shape.bits) +
                                      " bits (__metadata__) have a multiple of " + std::to_string(size_t{1} << shape.bits));
    }
  }
  shape.rows = size_t{1} << shape.bits;
  shape.tables = shape.lookups = all_rows / shape.rows;
}

std::unique_ptr<ModelLayer> read_layer(const SafetensorsFile& file, const std::string& prefix) {
  return std::make_unique<LookupffnModelLayer>(prefix, read_memoryformer_layer(file, prefix));
}

}  // namespace

extern const RuntimeFamily memoryformer_runtime_family;
const RuntimeFamily memoryformer_runtime_family = {"memoryformer", "tables", find_memoryformer_layers, read_layer};

std::vector<std::string> find_memoryformer_layers(const SafetensorsFile& file) {
  std::vector<std::string> prefixes;
  for (const TensorView& tensor : file.tensors()) {
    if (!has_suffix(tensor.name, kTables)) continue;
    const std::string prefix = tensor.name.substr(0, tensor.name.size() - (sizeof kTables - 1));
    if ((prefix.empty() || prefix.back() == '.') && is_without_layer_norm(file, prefix)) prefixes.push_back(prefix);
  }
  std::sort(prefixes.begin(), prefixes.end(), prefix_less);
  return prefixes;
}

LayerWeights read_memoryformer_layer(const SafetensorsFile& file, const std::string& prefix) {
  const TensorReader reader(file, prefix);
  LayerWeights layer{};
  layer.tables = reader.tensor(kTables);
  layer.bias = reader.tensor("bias");
  reader.check_rank(layer.tables, 2);
  lookupffn_shape& shape = layer.shape;
  shape.family = "memoryformer";
  shape.decay = 1;
  shape.d_out = layer.tables.shape[1];
  reader.check_range(layer.tables, "d_out", shape.d_out, kMaxWidth);

  const std::string projection = projection_name(file, prefix);
  layer.rules = memoryformer_rules(!projection.empty());
  shape.projection = projection.empty() ? LOOKUPFFN_NO_PROJECTION : LOOKUPFFN_DENSE;
  if (!projection.empty()) read_projection(file, projection, layer);
  solve_shape(reader, prefix, layer);
  reader.check_range(layer.tables, "tables", shape.tables, kMaxTables);
  if (projection.empty()) {
    shape.d_in = shape.tables * shape.bits;
    reader.check_range(layer.tables, "d_in = tables * bits", shape.d_in, kMaxWidth);
  }
  reader.expect_shape(layer.bias, {shape.d_out});
  for (const TensorView* view : {&layer.projection_weight, &layer.projection_bias, &layer.bias, &layer.tables}) {
    if (!view->shape.empty()) reader.check_finite(*view);
  }
  return layer;
}

}  // namespace lookupffn
