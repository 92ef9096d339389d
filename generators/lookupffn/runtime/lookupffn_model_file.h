// A LookupFFN layer's part of a model file.
#ifndef LOOKUPFFN_LOOKUPFFN_MODEL_FILE_H
#define LOOKUPFFN_LOOKUPFFN_MODEL_FILE_H

#include <string>
#include <vector>

#include "layer_weights.h"
#include "safetensors.h"

namespace lookupffn {

// Whether the layer is one that has no LayerNorm and 2-d tables, of another family then (MemoryFormer's), though it may have a
// projection of the same name.
bool is_without_layer_norm(const SafetensorsFile& file, const std::string& prefix);

// A layer is there wherever a tensor PREFIX"hash.projection.weight" (or ".bias") is and is_without_layer_norm does not say that
// it is another's; the other tensors of the file are not looked at.
std::vector<std::string> find_lookupffn_layers(const SafetensorsFile& file);

// Shapes follow from the tensors, and all of them are checked: what is returned has the six tensors in types that read_floats
// reads, with shapes that agree, sizes within the limits of tensor_reader.h and values that are all finite. Reads every value
// once (all pages of the tables). shape.prefix is not set. Throws Failure LOOKUPFFN_MALFORMED_MODEL with file, tensor and
// reason.
LayerWeights read_lookupffn_layer(const SafetensorsFile& file, const std::string& prefix);

}  // namespace lookupffn
#endif
