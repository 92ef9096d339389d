#include "model.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "failure.h"
#include "float_types.h"
#include "status.h"

namespace lookupffn {
namespace {

constexpr char kProjectionWeight[] = "hash.projection.weight";
constexpr char kProjectionBias[] = "hash.projection.bias";

bool is_power_of_two(size_t value) { return value != 0 && (value & (value - 1)) == 0; }

size_t power_of_two_from(size_t value) {
  size_t power = 1;
  while (power < value) power *= 2;
  return power;
}

std::string shape_text(const std::vector<size_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// The whole text as a finite float.
bool parse_float(const std::string& text, float& value) {
  double wide = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, wide);  // no locale, unlike strtod
  if (error != std::errc() || stop != end || !(std::abs(wide) <= std::numeric_limits<float>::max()))
    return false;
  value = static_cast<float>(wide);
  return true;
}

struct Hyperparameters {
  float decay = 0.7f;
  float layer_norm_eps = 1e-5f;
};

Hyperparameters read_metadata(const SafetensorsFile& file) {
  Hyperparameters result;
  auto read = [&](const char* key, float& value) {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end()) return;
    if (!parse_float(found->second, value)) {
      throw Failure(LOOKUPFFN_MALFORMED_MODEL, file.name() + ": __metadata__ '" + key + "' is " +
                                                   quote_name(found->second) + ", not a finite number");
    }
  };
  read("decay", result.decay);
  read("layer_norm_eps", result.layer_norm_eps);
  // decay blends two vectors: outside 0 to 1 it is no share.
  if (!(result.decay >= 0 && result.decay <= 1)) {
    throw Failure(LOOKUPFFN_MALFORMED_MODEL, file.name() + ": __metadata__ 'decay' is " +
                                                 quote_name(file.metadata().at("decay")) +
                                                 ", not from 0 to 1");
  }
  // Without a positive eps a constant row of x, all zeros say, divides by zero; a subnormal one is zero to
  // kernels that flush subnormals.
  if (!(result.layer_norm_eps >= std::numeric_limits<float>::min())) {
    throw Failure(LOOKUPFFN_MALFORMED_MODEL, file.name() + ": __metadata__ 'layer_norm_eps' is " +
                                                 quote_name(file.metadata().at("layer_norm_eps")) +
                                                 ", not a positive number (1.2e-38 or more)");
  }
  return result;
}

// Checks the layer at one prefix, tensor by tensor.
class LayerReader {
 public:
  LayerReader(const SafetensorsFile& file, const std::string& prefix) : file_(file), prefix_(prefix) {}

  LayerWeights read(const Hyperparameters& hyperparameters) {
    LayerWeights layer{};
    layer.layer_norm_weight = tensor("LayerNorm.weight");
    layer.layer_norm_bias = tensor("LayerNorm.bias");
    layer.projection_weight = tensor(kProjectionWeight);
    layer.projection_bias = tensor(kProjectionBias);
    layer.tables = tensor("tables");
    layer.bias = tensor("bias");

    lookupffn_shape& shape = layer.shape;
    shape.prefix = prefix_.c_str();
    shape.layer_norm_eps = hyperparameters.layer_norm_eps;
    read_table_shape(layer);
    check_rank(layer.layer_norm_weight, 1);
    shape.d_in = layer.layer_norm_weight.shape[0];
    check_range(layer.layer_norm_weight, "d_in", shape.d_in, kMaxWidth);
    read_projection_shape(layer, hyperparameters.decay);

    expect_shape(layer.layer_norm_bias, {shape.d_in});
    expect_shape(layer.projection_bias, {shape.tables * shape.bits});
    expect_shape(layer.bias, {shape.d_out});
    for (const TensorView* view : {&layer.layer_norm_weight, &layer.layer_norm_bias, &layer.projection_weight,
                                   &layer.projection_bias, &layer.bias, &layer.tables}) {
      check_finite(*view);
    }
    return layer;
  }

 private:
  const TensorView& tensor(const char* name) const {
    const TensorView* found = file_.find(prefix_ + name);
    if (found == nullptr) {
      throw Failure(LOOKUPFFN_MALFORMED_MODEL,
                    file_.name() + ": tensor " + quote_name(prefix_ + name) + " is missing");
    }
    const bool readable = found->type == ElementType::kF32 || found->type == ElementType::kF16 ||
                          found->type == ElementType::kBF16;
    if (!readable) {
      refuse(*found,
             std::string("has the dtype ") + file_.type_name(*found) + "; F32, F16 or BF16 is needed");
    }
    return *found;
  }

  void read_table_shape(LayerWeights& layer) const {
    const TensorView& view = layer.tables;
    check_rank(view, 3);
    lookupffn_shape& shape = layer.shape;
    shape.tables = view.shape[0];
    shape.rows = view.shape[1];
    shape.d_out = view.shape[2];
    check_range(view, "tables", shape.tables, kMaxTables);
    if (!is_power_of_two(shape.rows) || shape.rows < 2 || shape.rows > size_t{1} << kMaxBits) {
      refuse(view,
             "has " + std::to_string(shape.rows) + " rows a table; a power of two from 2 to 65536 is needed");
    }
    check_range(view, "d_out", shape.d_out, kMaxWidth);
    while (size_t{1} << shape.bits < shape.rows) ++shape.bits;
  }

  void read_projection_shape(LayerWeights& layer, float decay) const {
    const TensorView& view = layer.projection_weight;
    lookupffn_shape& shape = layer.shape;
    const size_t outputs = shape.tables * shape.bits;
    if (view.shape.size() == 2) {
      shape.projection = LOOKUPFFN_DENSE;
      shape.decay = 1;
      expect_shape(view, {outputs, shape.d_in});
      return;
    }
    if (view.shape.size() != 5) {
      refuse(view,
             "has " + std::to_string(view.shape.size()) + " dimensions; 2 (dense) or 5 (BH4) are needed");
    }
    const size_t padded = power_of_two_from(shape.d_in);
    shape.projection = LOOKUPFFN_BH4;
    shape.decay = decay;
    shape.block = view.shape[4];
    shape.repeats = std::max<size_t>(1, (outputs + padded - 1) / padded);
    if (!is_power_of_two(shape.block) || shape.block > padded) {
      refuse(view, "has blocks of " + std::to_string(shape.block) + "; a power of two up to " +
                       std::to_string(padded) + " (d_in " + std::to_string(shape.d_in) +
                       " padded) is needed");
    }
    expect_shape(view, {shape.repeats, 4, padded / shape.block, shape.block, shape.block});
  }

  void check_rank(const TensorView& view, size_t rank) const {
    if (view.shape.size() == rank) return;
    refuse(view, "has " + std::to_string(view.shape.size()) + " dimensions; " + std::to_string(rank) +
                     " are needed");
  }

  void check_range(const TensorView& view, const char* what, size_t value, size_t largest) const {
    if (value >= 1 && value <= largest) return;
    refuse(view, std::string("has ") + what + " " + std::to_string(value) + "; 1 to " +
                     std::to_string(largest) + " is supported");
  }

  void expect_shape(const TensorView& view, const std::vector<size_t>& expected) const {
    if (view.shape == expected) return;
    refuse(view, "has the shape " + shape_text(view.shape) + "; the layer's other tensors need " +
                     shape_text(expected));
  }

  void check_finite(const TensorView& view) const {
    const size_t index = first_non_finite(view);
    if (index == kAllFinite) return;
    refuse(view, "has a value that is NaN or infinite, its element " + std::to_string(index));
  }

  [[noreturn]] void refuse(const TensorView& view, const std::string& reason) const {
    throw Failure(LOOKUPFFN_MALFORMED_MODEL,
                  file_.name() + ": tensor " + quote_name(view.name) + " " + reason);
  }

  const SafetensorsFile& file_;
  const std::string& prefix_;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The run of digits from `begin` on without its leading zeros; moves `begin` behind it.
std::string take_number(const std::string& text, size_t& begin) {
  size_t end = begin;
  while (end < text.size() && is_digit(text[end])) ++end;
  while (begin < end && text[begin] == '0') ++begin;
  const std::string digits = text.substr(begin, end - begin);
  begin = end;
  return digits;
}

std::string list_prefixes(const lookupffn_model& model) {
  constexpr size_t kMost = 8;
  std::string text;
  for (size_t i = 0; i < std::min(model.layers.size(), kMost); ++i) {
    text += (i == 0 ? "" : ", ") + quote_name(model.layers[i]->prefix);
  }
  if (model.layers.size() > kMost) text += " and " + std::to_string(model.layers.size() - kMost) + " more";
  return text;
}

}  // namespace

bool prefix_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const std::string x = take_number(a, i), y = take_number(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else if (a[i] != b[j]) {
      return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
    } else {
      ++i, ++j;
    }
  }
  const size_t a_left = a.size() - i, b_left = b.size() - j;
  if (a_left == 0 && b_left == 0) return a < b;  // "1." and "01." are two prefixes
  return a_left == 0;
}

std::vector<std::unique_ptr<ModelLayer>> find_layers(const SafetensorsFile& file) {
  std::set<std::string, decltype(&prefix_less)> prefixes(&prefix_less);
  for (const TensorView& tensor : file.tensors()) {
    for (const std::string& name : {std::string(kProjectionWeight), std::string(kProjectionBias)}) {
      if (ends_with(tensor.name, name))
        prefixes.insert(tensor.name.substr(0, tensor.name.size() - name.size()));
    }
  }
  if (prefixes.empty()) {
    throw Failure(
        LOOKUPFFN_MALFORMED_MODEL,
        file.name() + ": holds no LookupFFN layer: no tensor is named [PREFIX]" + kProjectionWeight);
  }
  const Hyperparameters hyperparameters = read_metadata(file);
  std::vector<std::unique_ptr<ModelLayer>> layers;
  for (const std::string& prefix : prefixes) {
    auto layer = std::make_unique<ModelLayer>();
    layer->prefix = prefix;
    layer->weights = LayerReader(file, layer->prefix).read(hyperparameters);
    layers.push_back(std::move(layer));
  }
  return layers;
}

const LayerWeights& find_layer(const lookupffn_model* model, const char* prefix) {
  if (model == nullptr) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "the model is NULL");
  const std::string wanted = prefix == nullptr ? "" : prefix;
  for (const auto& layer : model->layers) {
    if (layer->prefix == wanted) return layer->weights;
  }
  if (!wanted.empty()) {
    throw Failure(LOOKUPFFN_NOT_FOUND, model->file.name() + ": no layer has the prefix " +
                                           quote_name(wanted) + "; there are " + list_prefixes(*model));
  }
  if (model->layers.size() > 1) {
    throw Failure(LOOKUPFFN_NOT_FOUND, model->file.name() + ": holds " +
                                           std::to_string(model->layers.size()) +
                                           " layers, so a prefix is needed: " + list_prefixes(*model));
  }
  return model->layers.front()->weights;
}

}  // namespace lookupffn

extern "C" {

lookupffn_status lookupffn_model_open(const char* path, lookupffn_model** model) {
  return lookupffn::guard([&] {
    if (model == nullptr)
      throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_open: model is NULL");
    *model = nullptr;
    if (path == nullptr)
      throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_open: path is NULL");
    *model = new lookupffn_model(std::string(path));
  });
}

lookupffn_status lookupffn_model_open_memory(const void* bytes, size_t size, lookupffn_model** model) {
  return lookupffn::guard([&] {
    if (model == nullptr) {
      throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_open_memory: model is NULL");
    }
    *model = nullptr;
    if (bytes == nullptr) {
      throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_open_memory: bytes is NULL");
    }
    *model = new lookupffn_model(bytes, size, "model in memory");
  });
}

void lookupffn_model_close(lookupffn_model* model) { delete model; }

size_t lookupffn_model_layer_count(const lookupffn_model* model) {
  return model == nullptr ? 0 : model->layers.size();
}

lookupffn_status lookupffn_model_layer(const lookupffn_model* model, size_t index, lookupffn_shape* shape) {
  return lookupffn::guard([&] {
    if (model == nullptr)
      throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_layer: model is NULL");
    if (shape == nullptr)
      throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_layer: shape is NULL");
    if (index >= model->layers.size()) {
      throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT,
                               "lookupffn_model_layer: index " + std::to_string(index) + " of " +
                                   std::to_string(model->layers.size()) + " layers");
    }
    *shape = model->layers[index]->weights.shape;
  });
}

}  // extern "C"
