// A fast feed-forward layer's part of a model file: three published forms.
#include "fff_model_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "failure.h"
#include "tensor_reader.h"

namespace lookupffn {
namespace {

constexpr char kLinearIn[] = "linear_in.weight", kLinearOut[] = "linear_out.weight";
constexpr char kNodeWeights[] = "node_weights", kFirstWeights[] = "w1s";

// __metadata__: of its own, or within `config`, a text in JSON. Numbers as text.
std::optional<std::string> metadata(const TensorReader& reader, const char* name, const char* name_in_config) {
  const auto& all = reader.file().metadata();
  if (const auto found = all.find(name); found != all.end()) return found->second;
  const auto config = all.find("config");
  if (config == all.end()) return std::nullopt;
  const nlohmann::json json = nlohmann::json::parse(config->second, nullptr, false);
  if (!json.is_object() || !json.contains(name_in_config)) return std::nullopt;
  const nlohmann::json& value = json[name_in_config];
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned()) return std::to_string(value.get<uint64_t>());
  return std::nullopt;
}

size_t metadata_number(const TensorReader& reader, const TensorView& view, const char* name, const std::string& text) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos) {
    reader.refuse(view,
                  std::string("cannot be cut into trees: __metadata__ '") + name + "' is " + quote_name(text) + ", no number");
  }
  return std::stoul(text);
}

// The trees that `nodes` nodes make up: 2^(depth + 1) - 1 each. The file says how many, or how deep; else
// they are one tree.
size_t tree_count(const TensorReader& reader, const TensorView& view, size_t nodes) {
  const std::optional<std::string> trees = metadata(reader, "trees", "parallel"), depth = metadata(reader, "depth", "depth");
  size_t count = 1;
  if (trees) {
    count = metadata_number(reader, view, "trees", *trees);
  } else if (depth) {
    const size_t levels = metadata_number(reader, view, "depth", *depth) + 1;
    count = levels <= kMaxFffDepth + 1 ? nodes / ((size_t{1} << levels) - 1) : 0;
  }
  const bool whole = count > 0 && nodes % count == 0 && is_power_of_two(nodes / count + 1);
  const bool as_deep = !depth || (whole && nodes / count + 1 == size_t{2} << std::min<size_t>(
                                                                    60, metadata_number(reader, view, "depth", *depth)));
  if (!whole || !as_deep) {
    reader.refuse(
        view, "has " + std::to_string(nodes) + " nodes, which are not " +
                  (trees || depth ? "the trees that __metadata__ tells of"
                                  : "one tree of 2^n - 1: say in __metadata__ how many 'trees' they are, or their 'depth'"));
  }
  return count;
}

void check_rows(const TensorReader& reader, FffWeights& layer, size_t d_out) {
  lookupffn_shape& shape = layer.shape;
  reader.check_rank(layer.node_weight, 2);
  shape.d_in = layer.node_weight.shape[1];
  shape.d_out = d_out;
  const size_t nodes = layer.node_weight.shape[0];
  shape.tables = tree_count(reader, layer.node_weight, nodes);
  shape.rows = nodes / shape.tables;
  shape.lookups = shape.tables * fff_shape(shape).levels();
  reader.check_range(layer.node_weight, "trees", shape.tables, kMaxTables);
}

// linear_in.weight, linear_in.bias, linear_out.weight: right where the logit is positive.
void read_linear(const TensorReader& reader, FffWeights& layer) {
  layer.node_weight = reader.tensor(kLinearIn);
  layer.node_bias = reader.tensor("linear_in.bias");
  layer.has_node_bias = true;
  layer.rows = reader.tensor(kLinearOut);
  layer.rows_are_columns = true;
  reader.check_rank(layer.rows, 2);
  check_rows(reader, layer, layer.rows.shape[0]);
  const size_t nodes = layer.node_weight.shape[0];
  reader.expect_shape(layer.node_bias, {nodes});
  reader.expect_shape(layer.rows, {layer.shape.d_out, nodes});
}

// w1s, w2s, no biases, one tree: right where the logit is zero, too.
void read_matrices(const TensorReader& reader, FffWeights& layer) {
  layer.zero_right = true;
  layer.node_weight = reader.tensor(kFirstWeights);
  layer.rows = reader.tensor("w2s");
  reader.check_rank(layer.rows, 2);
  check_rows(reader, layer, layer.rows.shape[1]);
  reader.expect_shape(layer.rows, {layer.node_weight.shape[0], layer.shape.d_out});
}

// node_weights, node_biases, w1s, b1s, w2s, b2s: one tree whose leaves have networks; right where the logit
// is zero, too.
void read_leaves(const TensorReader& reader, FffWeights& layer) {
  layer.zero_right = true;
  layer.node_weight = reader.tensor(kNodeWeights);
  layer.node_bias = reader.tensor("node_biases");
  layer.has_node_bias = true;
  layer.w1 = reader.tensor(kFirstWeights);
  layer.b1 = reader.tensor("b1s");
  layer.w2 = reader.tensor("w2s");
  layer.b2 = reader.tensor("b2s");
  const std::string activation = metadata(reader, "activation", "activation").value_or("relu");
  if (activation != "relu" && activation != "gelu") {
    reader.refuse(layer.w1, "goes through an activation that is not supported: __metadata__ says " + quote_name(activation) +
                                "; relu and gelu are");
  }
  layer.gelu = activation == "gelu";
  reader.check_rank(layer.w1, 3);
  reader.check_rank(layer.w2, 3);
  lookupffn_shape& shape = layer.shape;
  shape.rows = layer.w1.shape[0];
  shape.d_in = layer.w1.shape[1];
  shape.block = layer.w1.shape[2];
  shape.d_out = layer.w2.shape[2];
  shape.tables = shape.lookups = 1;
  if (!is_power_of_two(shape.rows))
    reader.refuse(layer.w1, "has " + std::to_string(shape.rows) + " leaves; a power of two is needed");
  reader.check_range(layer.w1, "leaf width", shape.block, kMaxWidth);
  reader.expect_shape(layer.node_weight, {shape.rows - 1, shape.d_in});
  reader.expect_shape(layer.node_bias, {shape.rows - 1, 1});
  reader.expect_shape(layer.b1, {shape.rows, shape.block});
  reader.expect_shape(layer.w2, {shape.rows, shape.block, shape.d_out});
  reader.expect_shape(layer.b2, {shape.rows, shape.d_out});
}

// The prefix of a tensor of this name; nothing where it has another.
std::optional<std::string> prefix_of(const TensorView& tensor, const std::string& name) {
  if (!has_suffix(tensor.name, name)) return std::nullopt;
  const std::string prefix = tensor.name.substr(0, tensor.name.size() - name.size());
  if (!prefix.empty() && prefix.back() != '.') return std::nullopt;
  return prefix;
}

}  // namespace

FffShape fff_shape(const lookupffn_shape& shape) {
  return FffShape(shape.d_in, shape.d_out, shape.tables, shape.rows, shape.block);
}

std::vector<std::string> find_fff_layers(const SafetensorsFile& file) {
  std::set<std::string> prefixes;
  for (const TensorView& tensor : file.tensors()) {
    for (const char* name : {kLinearIn, kNodeWeights, kFirstWeights}) {
      const std::optional<std::string> prefix = prefix_of(tensor, name);
      // Other models have a linear_in; a tree has both.
      if (prefix && (name != kLinearIn || file.find(*prefix + kLinearOut))) prefixes.insert(*prefix);
    }
  }
  return {prefixes.begin(), prefixes.end()};
}

FffWeights read_fff_layer(const SafetensorsFile& file, const std::string& prefix) {
  const TensorReader reader(file, prefix);
  FffWeights layer{};
  layer.shape.family = "fff";
  layer.shape.projection = LOOKUPFFN_NO_PROJECTION;
  layer.shape.decay = 1;
  if (reader.has(kNodeWeights)) {
    read_leaves(reader, layer);
  } else if (reader.has(kLinearIn)) {
    read_linear(reader, layer);
  } else {
    read_matrices(reader, layer);
  }
  const TensorView& first = layer.shape.block > 0 ? layer.w1 : layer.node_weight;
  reader.check_range(first, "d_in", layer.shape.d_in, kMaxWidth);
  reader.check_range(first, "d_out", layer.shape.d_out, kMaxWidth);
  const FffShape shape = fff_shape(layer.shape);
  if (shape.depth > kMaxFffDepth || largest_tensor(shape) > kMaxFffElements) {
    reader.refuse(first, "is of trees that are too large: up to " + std::to_string(kMaxFffDepth) +
                             " levels and 2 GiB a tensor are supported");
  }
  for (const TensorView* view :
       {&layer.node_weight, &layer.node_bias, &layer.rows, &layer.w1, &layer.b1, &layer.w2, &layer.b2}) {
    if (view->elements() > 0 && !view->name.empty()) reader.check_finite(*view);
  }
  return layer;
}

}  // namespace lookupffn
