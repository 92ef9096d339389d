// A model file and the LookupFFN layers that were found in it: what lookupffn_model stands for.
#ifndef LOOKUPFFN_MODEL_H
#define LOOKUPFFN_MODEL_H

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "layer_weights.h"
#include "lookupffn/lookupffn.h"
#include "safetensors.h"

namespace lookupffn {

// A layer is there wherever a tensor PREFIX"hash.projection.weight" (or ".bias") is; the other tensors of the
// file are not looked at. Shapes follow from the tensors, and all of them are checked: a LayerWeights that
// exists has the six tensors in types that read_floats reads, with shapes that agree, sizes within the limits
// below and values that are all finite.
struct ModelLayer {
  std::string prefix;
  LayerWeights weights;  // weights.shape.prefix points to `prefix`
};

constexpr size_t kMaxWidth = 8192;  // d_in and d_out
constexpr size_t kMaxTables = 4096;
constexpr size_t kMaxBits = 16;

// The layers of a file, ordered by prefix with numbers compared as numbers. Reads every layer's values once
// (all pages of its tables). Throws Failure LOOKUPFFN_MALFORMED_MODEL with file, tensor and reason; a file
// with no layer at all is malformed too, for there is nothing that a model without layers could be used for.
std::vector<std::unique_ptr<ModelLayer>> find_layers(const SafetensorsFile& file);

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
