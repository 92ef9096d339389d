// A model file and the lookup layers that were found in it: what lookupffn_model stands for.
#ifndef LOOKUPFFN_MODEL_H
#define LOOKUPFFN_MODEL_H

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.h"
#include "runtime_family.h"
#include "safetensors.h"

namespace lookupffn {

// The layers of a file, ordered by prefix with numbers compared as numbers. Reads every layer's values once
// (all pages of its tables). Throws Failure LOOKUPFFN_MALFORMED_MODEL with file, tensor and reason; a file
// with no layer at all is malformed too, for there is nothing that a model without layers could be used for.
std::vector<std::unique_ptr<ModelLayer>> find_layers(const SafetensorsFile& file);

// The layer with this prefix; "" or NULL means the model's only layer. Throws Failure (LOOKUPFFN_NOT_FOUND, with the prefixes
// that there are) where there is none or it is not clear which. Valid while the model is open.
const ModelLayer& find_layer(const lookupffn_model* model, const char* prefix);

// "layer.2." before "layer.10.": runs of digits compare as numbers of any length, the rest byte by byte.
bool prefix_less(const std::string& a, const std::string& b);

}  // namespace lookupffn

// Immutable once opened; shared freely between threads.
struct lookupffn_model {
  explicit lookupffn_model(const std::string& path) : file(path), layers(lookupffn::find_layers(file)) {}
  lookupffn_model(const void* bytes, size_t size, const std::string& name)
      : file(bytes, size, name), layers(lookupffn::find_layers(file)) {}

  lookupffn::SafetensorsFile file;
  std::vector<std::unique_ptr<lookupffn::ModelLayer>> layers;
};

#endif
