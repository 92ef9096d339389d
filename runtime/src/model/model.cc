#include "model.h"

#include <algorithm>
#include <map>

#include "failure.h"
#include "float_types.h"
#include "status.h"

namespace lookupffn {
namespace {

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
    text += (i == 0 ? "" : ", ") + quote_name(model.layers[i]->prefix());
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
  std::map<std::string, const RuntimeFamily*, decltype(&prefix_less)> found(&prefix_less);
  std::string tensors;
  for (const RuntimeFamily* family : runtime_families()) {
    for (const std::string& prefix : family->find(file)) found.emplace(prefix, family);
    tensors += (tensors.empty() ? "" : " or ") + std::string("[PREFIX]") + family->tensors;
  }
  if (found.empty()) {
    throw Failure(LOOKUPFFN_MALFORMED_MODEL, file.name() + ": holds no lookup layer: no tensor is named " + tensors);
  }
  std::vector<std::unique_ptr<ModelLayer>> layers;
  for (const auto& [prefix, family] : found) layers.push_back(family->read(file, prefix));
  return layers;
}

const ModelLayer& find_layer(const lookupffn_model* model, const char* prefix) {
  if (model == nullptr) throw Failure(LOOKUPFFN_INVALID_ARGUMENT, "the model is NULL");
  const std::string wanted = prefix == nullptr ? "" : prefix;
  for (const auto& layer : model->layers) {
    if (layer->prefix() == wanted) return *layer;
  }
  if (!wanted.empty()) {
    throw Failure(LOOKUPFFN_NOT_FOUND, model->file.name() + ": no layer has the prefix " + quote_name(wanted) + "; there are " +
                                           list_prefixes(*model));
  }
  if (model->layers.size() > 1) {
    throw Failure(LOOKUPFFN_NOT_FOUND, model->file.name() + ": holds " + std::to_string(model->layers.size()) +
                                           " layers, so a prefix is needed: " + list_prefixes(*model));
  }
  return *model->layers.front();
}

}  // namespace lookupffn

extern "C" {

lookupffn_status lookupffn_model_open(const char* path, lookupffn_model** model) {
  return lookupffn::guard([&] {
    if (model == nullptr) throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_open: model is NULL");
    *model = nullptr;
    if (path == nullptr) throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_open: path is NULL");
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

size_t lookupffn_model_layer_count(const lookupffn_model* model) { return model == nullptr ? 0 : model->layers.size(); }

lookupffn_status lookupffn_model_layer(const lookupffn_model* model, size_t index, lookupffn_shape* shape) {
  return lookupffn::guard([&] {
    if (model == nullptr) throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_layer: model is NULL");
    if (shape == nullptr) throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_layer: shape is NULL");
    if (index >= model->layers.size()) {
      throw lookupffn::Failure(LOOKUPFFN_INVALID_ARGUMENT, "lookupffn_model_layer: index " + std::to_string(index) + " of " +
                                                               std::to_string(model->layers.size()) + " layers");
    }
    *shape = model->layers[index]->shape();
  });
}

}  // extern "C"
